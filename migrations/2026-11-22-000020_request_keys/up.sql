-- sync: the one-time keys of forms that asked for a run, so that a form that is sent again starts none.
CREATE TABLE sync_request_keys (
    key     uuid PRIMARY KEY,
    run_id  bigint NOT NULL REFERENCES sync_runs ON DELETE CASCADE
);
CREATE INDEX sync_request_keys_run ON sync_request_keys (run_id);
