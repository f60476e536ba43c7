-- approvals: what is to be done with an update, for which group of computers. Rows with `mirrored`
-- came from the upstream server of a replica; they count while this server is a replica, the
-- others while it is not.

CREATE TABLE target_groups (
    group_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    parent_id uuid,                              -- NULL for the root only
    name      text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
    builtin   boolean NOT NULL DEFAULT false,    -- exists on every server, counts in both modes
    mirrored  boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX target_groups_name ON target_groups (lower(name), mirrored);
INSERT INTO target_groups (group_id, parent_id, name, builtin) VALUES
    ('a0a08746-4dbe-4a37-9adf-9e7652c0b421', NULL, 'All Computers', true),
    ('b73ca6ed-5727-47f3-84de-015e03f6a88a', 'a0a08746-4dbe-4a37-9adf-9e7652c0b421', 'Unassigned Computers', true);

-- One row an update and group that has an approval of its own; other groups inherit from their parent.
-- An upstream may approve what has not arrived here, so ids are not references.
CREATE TABLE approvals (
    approval_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    update_id       uuid NOT NULL,
    revision_number integer NOT NULL,
    group_id        uuid NOT NULL,
    action          smallint NOT NULL CHECK (action BETWEEN 0 AND 3), -- 0 install 1 remove 2 detect 3 not approved
    deadline        timestamptz,
    approved_by     text NOT NULL,
    approved_at     timestamptz NOT NULL DEFAULT now(),
    stamp           bigint NOT NULL,             -- publications.stamp of the change
    mirrored        boolean NOT NULL DEFAULT false,
    CONSTRAINT approvals_one_a_group UNIQUE (update_id, group_id, mirrored)
);
CREATE INDEX approvals_stamp ON approvals (stamp);
CREATE INDEX approvals_action ON approvals (action, update_id);

-- Approvals that were withdrawn; servers below are told once.
CREATE TABLE withdrawn_approvals (
    approval_id uuid PRIMARY KEY,
    stamp       bigint NOT NULL,
    mirrored    boolean NOT NULL
);
CREATE INDEX withdrawn_approvals_stamp ON withdrawn_approvals (stamp);

CREATE TABLE declined_updates (
    update_id   uuid NOT NULL,
    mirrored    boolean NOT NULL DEFAULT false,
    declined_by text NOT NULL,
    declined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (update_id, mirrored)
);

CREATE TABLE accepted_licenses (
    license_id  uuid NOT NULL,
    mirrored    boolean NOT NULL DEFAULT false,
    accepted_by text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (license_id, mirrored)
);

-- One row: the rules by which new updates are approved in a synchronization.
CREATE TABLE approval_rules (
    one                     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version                 bigint NOT NULL DEFAULT 1,
    detect                  boolean NOT NULL DEFAULT true,
    detect_classifications  uuid[] NOT NULL DEFAULT '{e6cf1350-c01b-414d-a61f-263d14d133b4,0fa1201d-4330-4fa8-8ae9-b877473b6441}',
    detect_groups           uuid[] NOT NULL DEFAULT '{a0a08746-4dbe-4a37-9adf-9e7652c0b421}',
    install                 boolean NOT NULL DEFAULT false,
    install_classifications uuid[] NOT NULL DEFAULT '{}',
    install_groups          uuid[] NOT NULL DEFAULT '{a0a08746-4dbe-4a37-9adf-9e7652c0b421}',
    latest_revision         boolean NOT NULL DEFAULT true
);
INSERT INTO approval_rules DEFAULT VALUES;

-- sync: how far the approvals of a source were taken over.
ALTER TABLE sources ADD COLUMN deployment_anchor text;
