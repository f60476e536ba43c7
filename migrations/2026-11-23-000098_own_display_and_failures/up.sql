-- accounts: how a person wants pages to look, and up to where they have seen failed attempts to sign in as them.
ALTER TABLE accounts
    ADD COLUMN theme              text CHECK (theme IN ('system', 'light', 'dark')),  -- null: as the browser last chose
    ADD COLUMN time_zone          text,                                               -- null: the schedule's
    ADD COLUMN failures_seen_id   bigint NOT NULL DEFAULT 0;                          -- audit line

-- What a session tells until it is closed: failed attempts from before it began.
ALTER TABLE sessions
    ADD COLUMN failed_count     integer NOT NULL DEFAULT 0,
    ADD COLUMN failed_first_at  timestamptz,
    ADD COLUMN failed_last_at   timestamptz,
    ADD COLUMN failed_last_peer text NOT NULL DEFAULT '';

CREATE INDEX audit_failed_sign_ins ON audit (account_id, id) WHERE action = 'sign-in.failed';
