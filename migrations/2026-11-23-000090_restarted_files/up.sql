-- A file that had to begin again, because its source, or a proxy server, sends whole files only. Owner: content.
ALTER TABLE content_files ADD COLUMN restarted_at timestamptz;
CREATE INDEX content_files_restarted ON content_files (restarted_at) WHERE restarted_at IS NOT NULL;
