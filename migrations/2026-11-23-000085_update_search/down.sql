DROP INDEX updates_expired_title;
ALTER TABLE updates ADD COLUMN search text NOT NULL DEFAULT '';
UPDATE updates u SET search = s.search FROM update_search s WHERE s.update_row = u.update_row;
CREATE INDEX updates_search ON updates USING gin (search gin_trgm_ops) WHERE approvable;
DROP TABLE update_search;
