-- Weir never goes back: an older program works on this schema, or refuses to start.
DO $$ BEGIN RAISE EXCEPTION 'this migration cannot be undone'; END $$;
