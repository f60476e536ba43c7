-- content: the files that are wanted on this server, and what became of each.
CREATE TABLE content_files (
    file_row   integer PRIMARY KEY REFERENCES files ON DELETE CASCADE,
    state      text NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'stored', 'failed')),
    run_id     bigint,                           -- the run that wanted it first
    attempts   integer NOT NULL DEFAULT 0,
    next_try   timestamptz NOT NULL DEFAULT now(),
    last_error text NOT NULL DEFAULT '',
    stored_at  timestamptz
);
CREATE INDEX content_files_wanted ON content_files (next_try) WHERE state = 'wanted';
CREATE INDEX content_files_run ON content_files (run_id) WHERE state = 'wanted';
