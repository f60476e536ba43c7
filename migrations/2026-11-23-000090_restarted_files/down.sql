ALTER TABLE content_files DROP COLUMN restarted_at;
