CREATE INDEX revisions_publication ON revisions (publication_id);
