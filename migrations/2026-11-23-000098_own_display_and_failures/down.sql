DROP INDEX audit_failed_sign_ins;
ALTER TABLE sessions DROP COLUMN failed_count, DROP COLUMN failed_first_at, DROP COLUMN failed_last_at,
    DROP COLUMN failed_last_peer;
ALTER TABLE accounts DROP COLUMN theme, DROP COLUMN time_zone, DROP COLUMN failures_seen_id;
