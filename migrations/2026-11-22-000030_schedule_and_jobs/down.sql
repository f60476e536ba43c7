DROP TABLE schedule_moments;
ALTER TABLE schedule_due DROP COLUMN moment;
DROP TRIGGER jobs_legal_change ON jobs;
DROP FUNCTION jobs_legal_change();
DROP INDEX jobs_kind;
DROP INDEX jobs_finished;
ALTER TABLE jobs DROP COLUMN cancel_requested;
ALTER TABLE instances DROP COLUMN roles;
