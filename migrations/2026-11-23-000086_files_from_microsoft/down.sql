ALTER TABLE sync_options DROP COLUMN files_from_microsoft;
