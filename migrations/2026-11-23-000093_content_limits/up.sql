-- content: how fast files are fetched, how many at once, and what of the disk is kept free.
CREATE TABLE content_limits (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    version       bigint NOT NULL DEFAULT 1,
    rate_bytes    bigint NOT NULL DEFAULT 0 CHECK (rate_bytes >= 0),       -- a second; 0: no limit
    other_hours   boolean NOT NULL DEFAULT false,
    other_from    text NOT NULL DEFAULT '22:00',                           -- in the schedule's time zone
    other_until   text NOT NULL DEFAULT '06:00',
    other_rate_bytes bigint NOT NULL DEFAULT 0 CHECK (other_rate_bytes >= 0),
    workers       integer NOT NULL DEFAULT 8 CHECK (workers BETWEEN 1 AND 16),
    per_host      integer NOT NULL DEFAULT 8 CHECK (per_host BETWEEN 1 AND 16),
    reserve_bytes bigint CHECK (reserve_bytes >= 0)                        -- NULL: a tenth of the disk, at most 5 GiB
);
INSERT INTO content_limits DEFAULT VALUES;
