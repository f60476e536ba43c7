DROP INDEX updates_revision;
