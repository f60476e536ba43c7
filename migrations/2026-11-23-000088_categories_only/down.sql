ALTER TABLE sync_runs DROP COLUMN categories_only;
