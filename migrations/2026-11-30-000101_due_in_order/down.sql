DROP INDEX content_files_wanted;
CREATE INDEX content_files_wanted ON content_files (next_try) WHERE state = 'wanted';
