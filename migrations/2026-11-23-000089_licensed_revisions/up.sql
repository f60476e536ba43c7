-- Finds the few revisions with license terms. Owner: catalog.
CREATE INDEX revisions_licensed ON revisions (id) WHERE (details->>'eula') IS NOT NULL;
