-- Weir's first schema. Times are UTC (timestamptz). Only the module named above a group writes its tables.

-- db: facts about this database itself ---------------------------------------------------------

-- One row. `oldest_program` is the oldest weir version that may work on this schema.
CREATE TABLE schema_floor (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    oldest_program text NOT NULL
);
INSERT INTO schema_floor (oldest_program) VALUES ('0.1.0');

-- One row. `server_id` is this server's identity towards other servers, stable for life.
CREATE TABLE server_identity (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    server_id       uuid NOT NULL DEFAULT gen_random_uuid(),
    key_fingerprint bytea,
    created_at      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO server_identity DEFAULT VALUES;

-- accounts -------------------------------------------------------------------------------------

CREATE TABLE accounts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    name_folded   text NOT NULL CONSTRAINT accounts_name_unique UNIQUE,
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('administrator', 'operator', 'reporter')),
    disabled      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz
);

CREATE TABLE sessions (
    token_hash   bytea PRIMARY KEY,              -- SHA-256 of the cookie's value
    account_id   bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    csrf_secret  bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    peer         text NOT NULL DEFAULT '',
    user_agent   text NOT NULL DEFAULT ''
);
CREATE INDEX sessions_account ON sessions (account_id);

CREATE TABLE audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    actor       text NOT NULL,                   -- account name, or 'command line', 'schedule', 'weir'
    account_id  bigint,
    peer        text NOT NULL DEFAULT '',
    action      text NOT NULL,                   -- e.g. 'settings.save', 'sign-in.failed'
    object      text NOT NULL DEFAULT '',
    before      jsonb,
    after       jsonb,
    request_id  text NOT NULL DEFAULT ''
);
CREATE INDEX audit_at ON audit (at DESC);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();

-- settings -------------------------------------------------------------------------------------

-- One row: everything the Synchronization Options page saves, but the two selections below.
CREATE TABLE sync_options (
    one                boolean PRIMARY KEY DEFAULT true CHECK (one),
    version            bigint NOT NULL DEFAULT 1,
    saved_at           timestamptz NOT NULL DEFAULT now(),
    saved_by           text NOT NULL DEFAULT 'weir',
    schedule_mode      text NOT NULL DEFAULT 'manual' CHECK (schedule_mode IN ('manual', 'daily')),
    schedule_time      text NOT NULL DEFAULT '03:00',
    schedule_per_day   integer NOT NULL DEFAULT 1 CHECK (schedule_per_day BETWEEN 1 AND 24),
    schedule_time_zone text NOT NULL DEFAULT 'UTC',
    source_kind        text NOT NULL DEFAULT 'microsoft-update' CHECK (source_kind IN ('microsoft-update', 'upstream')),
    source_server      text NOT NULL DEFAULT '',
    source_port        integer NOT NULL DEFAULT 8530,
    source_ssl         boolean NOT NULL DEFAULT false,
    source_ca          text NOT NULL DEFAULT '', -- PEM text
    source_content_port integer,
    replica            boolean NOT NULL DEFAULT false,
    proxy_enabled      boolean NOT NULL DEFAULT false,
    proxy_server       text NOT NULL DEFAULT '',
    proxy_port         integer NOT NULL DEFAULT 80,
    proxy_credentials  boolean NOT NULL DEFAULT false,
    proxy_user         text NOT NULL DEFAULT '',
    proxy_domain       text NOT NULL DEFAULT '',
    proxy_password     bytea,                    -- sealed (XChaCha20-Poly1305); NULL: none
    proxy_basic        boolean NOT NULL DEFAULT false,
    files_store        text NOT NULL DEFAULT 'local' CHECK (files_store IN ('local', 'source')),
    files_deferred     boolean NOT NULL DEFAULT true,
    files_express      boolean NOT NULL DEFAULT false,
    files_languages    text NOT NULL DEFAULT 'all'  -- 'all', 'locale', or short names joined by ','
);
INSERT INTO sync_options DEFAULT VALUES;

-- What is ticked. A row with `with_descendants` stands for everything below it, future ones included.
CREATE TABLE selected_categories (
    category_id      uuid PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('product', 'classification')),
    with_descendants boolean NOT NULL DEFAULT false
);
INSERT INTO selected_categories VALUES
    ('6964aab4-c5b5-43bd-a17d-ffb4346a8e1d', 'product', true),          -- Windows
    ('e6cf1350-c01b-414d-a61f-263d14d133b4', 'classification', false),  -- Critical Updates
    ('0fa1201d-4330-4fa8-8ae9-b877473b6441', 'classification', false);  -- Security Updates

-- A choice made in a dialog (or typed beside it) that is not saved yet.
CREATE TABLE option_drafts (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id  bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    typed       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- catalog --------------------------------------------------------------------------------------

-- Every update id ever mentioned, also by a relation to something that never came.
CREATE TABLE update_ids (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    update_id uuid NOT NULL CONSTRAINT update_ids_unique UNIQUE
);

-- A commit point for readers: what was stored for it becomes visible when `stamp` is set.
-- `stamp` is milliseconds since 1970, strictly rising in commit order (one lock serializes publishing).
CREATE TABLE publications (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id     bigint,
    stamp      bigint CONSTRAINT publications_stamp_unique UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Every stored revision. Visible when its publication has a stamp (`stamp` is copied here then).
CREATE TABLE revisions (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    update_row      integer NOT NULL REFERENCES update_ids,
    revision_number integer NOT NULL CHECK (revision_number >= 0),
    publication_id  bigint NOT NULL REFERENCES publications,
    published       boolean NOT NULL DEFAULT false,
    kind            smallint NOT NULL,           -- 0 software 1 driver 2 category 3 classification 4 detectoid
    approvable      boolean NOT NULL,            -- ExplicitlyDeployable
    expired         boolean NOT NULL,
    severity        smallint NOT NULL DEFAULT 0, -- 0 unspecified 1 low 2 moderate 3 important 4 critical
    category_type   text,                        -- Company, ProductFamily, Product, UpdateClassification
    title           text NOT NULL,               -- default language
    description     text NOT NULL DEFAULT '',
    kb              text NOT NULL DEFAULT '',    -- article numbers joined by a blank, digits only
    bulletin        text NOT NULL DEFAULT '',
    created         timestamptz NOT NULL,        -- CreationDate
    details         jsonb NOT NULL,              -- the facts the detail page shows, titles by language included
    CONSTRAINT revisions_unique UNIQUE (update_row, revision_number)
);
CREATE INDEX revisions_unpublished ON revisions (publication_id) WHERE NOT published;
CREATE INDEX revisions_publication ON revisions (publication_id);

-- The document as received. encoding: 0 UTF-8 text, 1 the cabinet that held it, 2 UTF-8 deflated by us.
CREATE TABLE documents (
    revision_row integer PRIMARY KEY REFERENCES revisions ON DELETE CASCADE,
    encoding     smallint NOT NULL,
    body         bytea NOT NULL
);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;

-- kind: 0 prerequisite, 1 prerequisite with IsCategory, 2 supersedes, 3 bundles.
-- group_number: children of one AtLeastOne share it; a bare prerequisite has its own.
CREATE TABLE relations (
    revision_row    integer NOT NULL REFERENCES revisions ON DELETE CASCADE,
    kind            smallint NOT NULL,
    group_number    smallint NOT NULL,
    target_row      integer NOT NULL,
    target_revision integer                      -- bundles only
);
CREATE INDEX relations_revision ON relations (revision_row);
CREATE INDEX relations_target ON relations (target_row, kind);

CREATE TABLE files (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha1     bytea NOT NULL CONSTRAINT files_sha1_unique UNIQUE,
    sha256   bytea,
    size     bigint NOT NULL,
    name     text NOT NULL,
    patching text NOT NULL DEFAULT '',
    mu_url   text NOT NULL DEFAULT ''
);
CREATE TABLE revision_files (
    revision_row integer NOT NULL REFERENCES revisions ON DELETE CASCADE,
    file_row     integer NOT NULL REFERENCES files,
    PRIMARY KEY (revision_row, file_row)
);
CREATE INDEX revision_files_file ON revision_files (file_row);

-- What pages and downstream servers see: one row an update, of its highest published revision.
CREATE TABLE updates (
    update_row      integer PRIMARY KEY REFERENCES update_ids,
    update_id       uuid NOT NULL CONSTRAINT updates_update_id_unique UNIQUE,
    revision_row    integer NOT NULL REFERENCES revisions,
    revision_number integer NOT NULL,
    changed_stamp   bigint NOT NULL,             -- publications.stamp of the last visible change
    first_run_id    bigint,
    last_run_id     bigint,
    arrived_at      timestamptz NOT NULL,        -- when this update first became visible
    kind            smallint NOT NULL,
    approvable      boolean NOT NULL,
    expired         boolean NOT NULL,
    superseded      boolean NOT NULL DEFAULT false,
    severity        smallint NOT NULL,
    category_type   text,
    title           text NOT NULL,
    kb              text NOT NULL,
    bulletin        text NOT NULL,
    created         timestamptz NOT NULL,
    search          text NOT NULL DEFAULT ''     -- lower-case title, KB, bulletin, description, update id
);
CREATE INDEX updates_changed ON updates (changed_stamp);
CREATE INDEX updates_newest ON updates (created DESC, update_row DESC) WHERE approvable AND NOT expired;
CREATE INDEX updates_newest_all ON updates (created DESC, update_row DESC) WHERE approvable;
CREATE INDEX updates_category ON updates (kind) WHERE kind >= 2;

-- Membership of an update's current revision: products, families and classifications named by its
-- prerequisites. For a category: its parents.
CREATE TABLE update_categories (
    update_row   integer NOT NULL REFERENCES updates ON DELETE CASCADE,
    category_row integer NOT NULL,
    PRIMARY KEY (update_row, category_row)
);
CREATE INDEX update_categories_category ON update_categories (category_row, update_row);

-- sync -----------------------------------------------------------------------------------------

-- One row for each update source ever used: kind, host, port and SSL are its identity.
CREATE TABLE sources (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL,
    host            text NOT NULL,
    port            integer NOT NULL,
    ssl             boolean NOT NULL,
    config_anchor   text,
    category_anchor text,
    update_anchor   text,
    -- the expanded selection and languages that update_anchor was obtained with
    products        uuid[] NOT NULL DEFAULT '{}',
    classifications uuid[] NOT NULL DEFAULT '{}',
    languages       integer[] NOT NULL DEFAULT '{}',
    facts           jsonb NOT NULL DEFAULT '{}', -- last GetConfigData: limits, flags, languages
    CONSTRAINT sources_identity UNIQUE (kind, host, port, ssl)
);

-- Listed by a source and not stored yet, although the anchor has moved past it.
CREATE TABLE owed_revisions (
    source_id       bigint NOT NULL REFERENCES sources ON DELETE CASCADE,
    update_id       uuid NOT NULL,
    revision_number integer NOT NULL,
    reason          text NOT NULL,
    attempts        integer NOT NULL DEFAULT 1,
    since           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, update_id, revision_number)
);

CREATE TABLE sync_runs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state        text NOT NULL CHECK (state IN ('queued', 'running', 'stopping', 'succeeded',
                     'succeeded_with_problems', 'failed', 'canceled', 'interrupted')),
    trigger      text NOT NULL CHECK (trigger IN ('manual', 'schedule', 'command')),
    started_by   text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    source_id    bigint REFERENCES sources,
    source_name  text NOT NULL DEFAULT '',       -- as shown: 'wsus01.example:8530'
    phase        text NOT NULL DEFAULT '',       -- '', 'connect', 'categories', 'updates', 'publish'
    done         bigint NOT NULL DEFAULT 0,      -- of this phase
    total        bigint,
    new          bigint NOT NULL DEFAULT 0,
    revised      bigint NOT NULL DEFAULT 0,
    expired      bigint NOT NULL DEFAULT 0,
    revisions    bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    files        bigint NOT NULL DEFAULT 0,
    bytes        bigint NOT NULL DEFAULT 0,
    error        jsonb,                          -- {code, message, hop, advice}
    notices      jsonb NOT NULL DEFAULT '[]',    -- sentences
    settings     jsonb NOT NULL DEFAULT '{}',    -- what the run started with, no secrets
    continues    bigint                          -- the interrupted run this one goes on from
);
CREATE UNIQUE INDEX sync_runs_one_active ON sync_runs ((true)) WHERE state IN ('queued', 'running', 'stopping');

CREATE TABLE run_log (
    run_id  bigint NOT NULL REFERENCES sync_runs ON DELETE CASCADE,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    level   text NOT NULL,
    message text NOT NULL
);
CREATE INDEX run_log_run ON run_log (run_id, at);

-- jobs -----------------------------------------------------------------------------------------

CREATE TABLE instances (
    id           uuid PRIMARY KEY,
    lock_key     bigint NOT NULL,                -- session advisory lock that is held while it lives
    name         text NOT NULL,
    version      text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE jobs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL,
    dedup_key    text NOT NULL,
    args         jsonb NOT NULL DEFAULT '{}',
    state        text NOT NULL DEFAULT 'waiting'
                     CHECK (state IN ('waiting', 'running', 'succeeded', 'failed', 'canceled')),
    run_after    timestamptz NOT NULL DEFAULT now(),
    attempts     integer NOT NULL DEFAULT 0,
    fence        bigint NOT NULL DEFAULT 0,      -- rises at each claim; a late owner's writes are refused
    owner        uuid,
    lease_until  timestamptz,
    last_error   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz
);
CREATE UNIQUE INDEX jobs_one_active ON jobs (dedup_key) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_waiting ON jobs (run_after) WHERE state = 'waiting';

-- The next moment of the schedule, compared with the wall clock.
CREATE TABLE schedule_due (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    due_at      timestamptz,
    options_version bigint NOT NULL DEFAULT 0
);
INSERT INTO schedule_due DEFAULT VALUES;

-- downstream -----------------------------------------------------------------------------------

CREATE TABLE downstream_servers (
    server_id     uuid PRIMARY KEY,
    name          text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    protocol      text NOT NULL DEFAULT ''
);
