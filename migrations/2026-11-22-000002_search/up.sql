-- catalog: finding updates by any part of their text. pg_trgm comes with PostgreSQL (Debian's
-- server package has it) and is trusted: the owner of a database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX updates_search ON updates USING gin (search gin_trgm_ops) WHERE approvable;
