-- catalog: what updates are searched by, apart from the rows that lists walk over, which stay narrow. One index answers
-- words, product and classification together. (The column it replaces was in no release.)
CREATE TABLE update_search (
    update_row integer PRIMARY KEY REFERENCES updates ON DELETE CASCADE,
    search     text NOT NULL,
    -- rows of the products and classifications of update_categories
    categories integer[] NOT NULL
);
INSERT INTO update_search (update_row, search, categories)
SELECT u.update_row, u.search,
       ARRAY(SELECT m.category_row FROM update_categories m WHERE m.update_row = u.update_row ORDER BY 1)
FROM updates u WHERE u.approvable;
CREATE INDEX update_search_all ON update_search USING gin (search gin_trgm_ops, categories);
DROP INDEX updates_search;
ALTER TABLE updates DROP COLUMN search;
-- the withdrawn ones in the order of their titles
CREATE INDEX updates_expired_title ON updates (left(title, 200), update_row) WHERE approvable AND expired;
