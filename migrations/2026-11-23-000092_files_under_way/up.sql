-- content: since when the present try of a file is under way, and what was there when it began.
ALTER TABLE content_files ADD COLUMN begun_at timestamptz;
ALTER TABLE content_files ADD COLUMN begun_bytes bigint NOT NULL DEFAULT 0;
CREATE INDEX content_files_begun ON content_files (begun_at) WHERE begun_at IS NOT NULL;
