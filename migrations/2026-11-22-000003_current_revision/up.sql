-- catalog: from a revision to the update it is current of, asked for each relation that names one.
CREATE INDEX updates_revision ON updates (revision_row);
