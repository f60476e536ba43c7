-- content: verifications and clean-ups of the content folder, and what came of each.
CREATE TABLE content_checks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('verify', 'cleanup')),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    confirmed    boolean NOT NULL DEFAULT false, -- whoever asked has said yes to what is refused otherwise
    started_at   timestamptz,
    finished_at  timestamptz,
    total        bigint NOT NULL DEFAULT 0,      -- files to look at
    done         bigint NOT NULL DEFAULT 0,
    bytes        bigint NOT NULL DEFAULT 0,      -- read by a verification, freed by a clean-up
    damaged      bigint NOT NULL DEFAULT 0,
    missing      bigint NOT NULL DEFAULT 0,
    adopted      bigint NOT NULL DEFAULT 0,
    removed      bigint NOT NULL DEFAULT 0,
    error        text NOT NULL DEFAULT ''
);
