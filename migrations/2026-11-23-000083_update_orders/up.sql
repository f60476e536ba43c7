-- catalog: the orders of the list, and what its filters begin with. A title or a list of KB numbers may be longer than
-- an index takes, so orders compare their beginnings.
CREATE INDEX updates_listed ON updates (created DESC, update_row DESC) INCLUDE (update_id)
    WHERE approvable AND NOT expired;
DROP INDEX updates_newest;
CREATE INDEX updates_expired ON updates (created DESC, update_row DESC) WHERE approvable AND expired;
CREATE INDEX updates_title ON updates (left(title, 200), update_row) WHERE approvable;
CREATE INDEX updates_kb ON updates (left(kb, 100), update_row) WHERE approvable;
CREATE INDEX updates_severity ON updates (severity, created DESC, update_row DESC) WHERE approvable;
CREATE INDEX updates_arrived ON updates (arrived_at) WHERE approvable;

-- content: the few that are coming or failed.
CREATE INDEX content_files_open ON content_files (state) WHERE state <> 'stored';
