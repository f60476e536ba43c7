DROP TABLE sync_request_keys;
