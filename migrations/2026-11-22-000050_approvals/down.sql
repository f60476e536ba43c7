ALTER TABLE sources DROP COLUMN deployment_anchor;
DROP TABLE approval_rules, accepted_licenses, declined_updates, withdrawn_approvals, approvals, target_groups;
