-- Owner: content. Files that are due, in the order in which they are fetched: what is wanted together has one moment.
DROP INDEX content_files_wanted;
CREATE INDEX content_files_wanted ON content_files (next_try, file_row) WHERE state = 'wanted';
