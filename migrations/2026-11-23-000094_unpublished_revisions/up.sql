-- catalog: what is stored and not visible yet. A flag in `revisions` had every new row, title, description and details
-- included, written a second time by the publication.
CREATE TABLE unpublished_revisions (
    revision_row integer PRIMARY KEY,
    kind         smallint NOT NULL                -- of the revision
);
INSERT INTO unpublished_revisions (revision_row, kind) SELECT id, kind FROM revisions WHERE NOT published;
DROP INDEX revisions_unpublished;
ALTER TABLE revisions DROP COLUMN published;
