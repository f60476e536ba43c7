-- catalog: nothing is looked up by the publication of a revision since what waits has a table of its own.
DROP INDEX revisions_publication;
