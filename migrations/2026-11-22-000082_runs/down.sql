DROP TABLE run_calls;
ALTER TABLE sync_runs DROP COLUMN rate, DROP COLUMN calls, DROP COLUMN received;
DROP TRIGGER sync_runs_legal_change ON sync_runs;
DROP FUNCTION sync_runs_legal_change;
