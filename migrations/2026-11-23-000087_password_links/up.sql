-- accounts: a link with which a person sets a password, once. Only its hash is stored.
CREATE TABLE password_links (
    account_id bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,  -- a new link takes the place of the old one
    token_hash bytea NOT NULL UNIQUE,
    made_by    text NOT NULL,
    ends_at    timestamptz NOT NULL
);

CREATE INDEX audit_by_action ON audit (action, id DESC);
CREATE INDEX audit_by_actor ON audit (lower(actor), id DESC);

-- A line of the audit log is removed only by upkeep, long after; changing one was refused from the beginning.
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at > now() - interval '1 year' THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER audit_no_early_end BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_kept();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
