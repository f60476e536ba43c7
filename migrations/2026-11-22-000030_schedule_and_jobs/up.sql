-- jobs -----------------------------------------------------------------------------------------

-- What this process does: console, services, worker, joined by commas.
ALTER TABLE instances ADD COLUMN roles text NOT NULL DEFAULT 'console,services,worker';

-- Somebody asked a running job to end; its worker hears of it with the next renewal of the lease.
ALTER TABLE jobs ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE state IN ('succeeded', 'failed', 'canceled');
CREATE INDEX jobs_kind ON jobs (kind, created_at);

-- The state machine, for every program that ever writes here. The type JobState says the same.
CREATE FUNCTION jobs_legal_change() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF NEW.state = OLD.state
        OR (OLD.state = 'waiting' AND NEW.state IN ('running', 'canceled'))
        OR (OLD.state = 'running' AND NEW.state IN ('waiting', 'succeeded', 'failed', 'canceled'))
    THEN RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a job cannot go from % to %', OLD.state, NEW.state;
END
$$;
CREATE TRIGGER jobs_legal_change BEFORE UPDATE OF state ON jobs
    FOR EACH ROW EXECUTE FUNCTION jobs_legal_change();

-- sync -----------------------------------------------------------------------------------------

-- The planned moment without the random delay that due_at has.
ALTER TABLE schedule_due ADD COLUMN moment timestamptz;

-- What became of each moment of the schedule. The key makes it once for all servers together.
CREATE TABLE schedule_moments (
    moment     timestamptz NOT NULL,
    attempt    smallint NOT NULL DEFAULT 1,      -- 2 and 3: again after the update source could not be reached
    due_at     timestamptz NOT NULL,             -- with the random delay
    outcome    text NOT NULL CHECK (outcome IN ('started', 'late', 'skipped', 'passed')),
    run_id     bigint,                           -- the run it started, or the one that was in its way
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (moment, attempt)
);
