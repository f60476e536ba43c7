-- A run that brings products and classifications and no updates. Owner: sync.
ALTER TABLE sync_runs ADD COLUMN categories_only boolean NOT NULL DEFAULT false;
