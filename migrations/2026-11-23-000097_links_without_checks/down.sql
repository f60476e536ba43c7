ALTER TABLE revisions
    ADD FOREIGN KEY (update_row) REFERENCES update_ids,
    ADD FOREIGN KEY (publication_id) REFERENCES publications;
ALTER TABLE documents ADD FOREIGN KEY (revision_row) REFERENCES revisions ON DELETE CASCADE;
ALTER TABLE relations ADD FOREIGN KEY (revision_row) REFERENCES revisions ON DELETE CASCADE;
ALTER TABLE revision_files
    ADD FOREIGN KEY (revision_row) REFERENCES revisions ON DELETE CASCADE,
    ADD FOREIGN KEY (file_row) REFERENCES files;
ALTER TABLE update_categories ADD FOREIGN KEY (update_row) REFERENCES updates ON DELETE CASCADE;
ALTER TABLE update_search ADD FOREIGN KEY (update_row) REFERENCES updates ON DELETE CASCADE;
ALTER TABLE updates
    ADD FOREIGN KEY (update_row) REFERENCES update_ids,
    ADD FOREIGN KEY (revision_row) REFERENCES revisions;
