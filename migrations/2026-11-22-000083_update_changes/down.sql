DROP TABLE update_changes, saved_views, approval_changes;
