ALTER TABLE content_files DROP COLUMN begun_at;
ALTER TABLE content_files DROP COLUMN begun_bytes;
