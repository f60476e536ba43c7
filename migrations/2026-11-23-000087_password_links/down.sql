DROP TRIGGER audit_not_emptied ON audit;
DROP TRIGGER audit_no_early_end ON audit;
DROP FUNCTION audit_is_kept();
DROP INDEX audit_by_actor, audit_by_action;
DROP TABLE password_links;
