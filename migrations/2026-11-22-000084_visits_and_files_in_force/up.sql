-- settings: when somebody last looked through the products, so that those that came since can be marked.
CREATE TABLE product_visits (
    account_id bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
    last_at    timestamptz NOT NULL DEFAULT now(),
    before_at  timestamptz                        -- the visit before the one that last_at belongs to
);

-- settings: where files are kept, as it holds now. A replica takes that over from its upstream server as soon as it
-- has been told; its own choice rests meanwhile.
CREATE VIEW files_in_force AS
SELECT CASE WHEN NOT inherits THEN files_store
            WHEN facts ->> 'catalog_only' = 'true' THEN 'source' ELSE 'local' END AS store,
       CASE WHEN inherits THEN COALESCE(facts ->> 'lazy' = 'true', false) ELSE files_deferred END AS deferred,
       CASE WHEN inherits THEN COALESCE(facts ->> 'hosts_express' = 'true', false) ELSE files_express END AS express,
       files_languages AS languages,
       replica,
       CASE WHEN inherits THEN facts END AS facts
FROM (SELECT o.*, s.facts, COALESCE(o.replica AND s.facts ? 'catalog_only', false) AS inherits
      FROM sync_options o
      LEFT JOIN LATERAL (SELECT facts FROM sources
                         WHERE kind = 'upstream' AND host = lower(o.source_server)
                           AND port = o.source_port AND ssl = o.source_ssl
                         ORDER BY id DESC LIMIT 1) s ON true) AS told;
