ALTER TABLE revisions ADD COLUMN published boolean NOT NULL DEFAULT true;
UPDATE revisions SET published = false WHERE id IN (SELECT revision_row FROM unpublished_revisions);
ALTER TABLE revisions ALTER COLUMN published SET DEFAULT false;
CREATE INDEX revisions_unpublished ON revisions (publication_id) WHERE NOT published;
DROP TABLE unpublished_revisions;
