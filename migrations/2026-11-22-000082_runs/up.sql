-- sync -----------------------------------------------------------------------------------------

-- The state machine of a run, for every program that ever writes here. The type RunState says the same.
CREATE FUNCTION sync_runs_legal_change() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF NEW.state = OLD.state
        OR (OLD.state = 'queued' AND NEW.state IN ('running', 'stopping', 'canceled', 'interrupted'))
        OR (OLD.state = 'running' AND NEW.state IN ('stopping', 'succeeded', 'succeeded_with_problems', 'failed',
                'canceled', 'interrupted'))
        OR (OLD.state = 'stopping' AND NEW.state IN ('succeeded', 'succeeded_with_problems', 'failed', 'canceled',
                'interrupted'))
    THEN RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a run cannot go from % to %', OLD.state, NEW.state;
END
$$;
CREATE TRIGGER sync_runs_legal_change BEFORE UPDATE OF state ON sync_runs
    FOR EACH ROW EXECUTE FUNCTION sync_runs_legal_change();

ALTER TABLE sync_runs
    ADD COLUMN rate     double precision,            -- `done` a second in this phase; NULL: not steady
    ADD COLUMN calls    bigint NOT NULL DEFAULT 0,   -- of the update source, repetitions included
    ADD COLUMN received bigint NOT NULL DEFAULT 0;   -- bytes of its answers, unpacked

-- The calls of a run, up to a limit; removed with the lines of its log.
CREATE TABLE run_calls (
    run_id      bigint NOT NULL REFERENCES sync_runs ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    operation   text NOT NULL,
    duration_ms bigint NOT NULL,
    bytes       bigint NOT NULL,
    outcome     text NOT NULL                        -- '': good; else what went wrong
);
CREATE INDEX run_calls_run ON run_calls (run_id, at);
CREATE INDEX run_calls_at ON run_calls (at);
