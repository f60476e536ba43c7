-- catalog: what each publication did to updates that can be approved, for reports and for the list of a run.
-- Rows come in the transaction that publishes the update, so neither column needs a reference.
CREATE TABLE update_changes (
    stamp      bigint NOT NULL,                  -- publications.stamp: milliseconds since 1970
    update_row integer NOT NULL,
    change     smallint NOT NULL CHECK (change BETWEEN 0 AND 3), -- 0 new 1 revised 2 expired 3 superseded
    run_id     bigint,
    PRIMARY KEY (stamp, update_row, change)
);
CREATE INDEX update_changes_run ON update_changes (run_id, update_row);
-- What is known of the time before: the first and the last change of each update.
INSERT INTO update_changes (stamp, update_row, change, run_id)
SELECT floor(extract(epoch FROM arrived_at) * 1000)::bigint, update_row, 0, first_run_id
FROM updates WHERE approvable
UNION ALL
SELECT changed_stamp, update_row, CASE WHEN expired THEN 2 ELSE 1 END, last_run_id
FROM updates WHERE approvable AND last_run_id <> first_run_id
ON CONFLICT DO NOTHING;

-- accounts: filters that a person keeps under a name.
CREATE TABLE saved_views (
    account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 60),
    query      text NOT NULL,                    -- of the address of the Updates page
    PRIMARY KEY (account_id, name)
);

-- approvals: each change by a person, with why, and what was there before, so that the last one can be undone.
CREATE TABLE approval_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL,
    deed       text NOT NULL,                    -- 'approve', 'decline', 'restore', 'rules'
    reason     text NOT NULL DEFAULT '',
    updates    uuid[] NOT NULL,
    before     jsonb NOT NULL,                   -- {approvals: [...], declined: [...]}
    stamp      bigint NOT NULL,                  -- publications.stamp of the change
    undone     boolean NOT NULL DEFAULT false
);
CREATE INDEX approval_changes_updates ON approval_changes USING gin (updates);
