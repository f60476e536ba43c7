CREATE INDEX updates_newest ON updates (created DESC, update_row DESC) WHERE approvable AND NOT expired;
DROP INDEX updates_listed, updates_expired, updates_title, updates_kb, updates_severity, updates_arrived,
    content_files_open;
