-- sync: which hosts a run connected to, for firewall rules.
CREATE TABLE run_hosts (
    run_id   bigint NOT NULL REFERENCES sync_runs ON DELETE CASCADE,
    host     text NOT NULL,
    port     integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    tls      boolean NOT NULL,
    proxy    text NOT NULL,                      -- name and port of the proxy server; empty: directly
    requests bigint NOT NULL,
    bytes    bigint NOT NULL,                    -- received, unpacked
    PRIMARY KEY (run_id, host, port, tls, proxy)
);
