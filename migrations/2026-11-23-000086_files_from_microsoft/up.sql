-- settings: a server with an upstream server may still fetch the files from Microsoft Update.
ALTER TABLE sync_options ADD COLUMN files_from_microsoft boolean NOT NULL DEFAULT false;
