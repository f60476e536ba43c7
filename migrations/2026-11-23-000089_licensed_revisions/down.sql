DROP INDEX revisions_licensed;
