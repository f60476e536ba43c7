-- The updates a filter selects and everything bundled below them, at their current revision.
--   starts  what changed (or is wanted again) among the selected: in a wanted category and in a wanted classification
--   down    those, and all their bundled children at every level
--   up      what changed by itself, followed to whatever bundles it: a child that arrived after its parent
-- With a stamp the way begins at what changed, so that the cost does not grow with the catalogue.
-- `updates` holds the highest published revision only, so nothing unpublished is ever seen.
WITH RECURSIVE
categories AS (
    SELECT i.id, bool_or(f.again) AS again
    FROM unnest($1, $2) AS f(id, again) JOIN update_ids i ON i.update_id = f.id
    GROUP BY i.id
),
classifications AS (
    SELECT i.id, bool_or(f.again) AS again
    FROM unnest($3, $4) AS f(id, again) JOIN update_ids i ON i.update_id = f.id
    GROUP BY i.id
),
changed AS MATERIALIZED (
    SELECT update_row FROM updates WHERE kind < 2 AND ($5 OR changed_stamp > $6)
),
candidates AS (
    SELECT update_row FROM changed
    UNION
    SELECT m.update_row FROM update_categories m JOIN categories c ON c.id = m.category_row AND c.again
    UNION
    SELECT m.update_row FROM update_categories m JOIN classifications c ON c.id = m.category_row AND c.again
),
starts AS (
    SELECT s.update_row
    FROM candidates s
    JOIN updates u ON u.update_row = s.update_row AND u.kind < 2
    WHERE EXISTS (
        SELECT FROM update_categories m JOIN categories c ON c.id = m.category_row
        WHERE m.update_row = s.update_row)
      AND EXISTS (
        SELECT FROM update_categories m JOIN classifications c ON c.id = m.category_row
        WHERE m.update_row = s.update_row)
),
down(update_row) AS (
    SELECT update_row FROM starts
    UNION
    SELECT r.target_row
    FROM down d
    JOIN updates u ON u.update_row = d.update_row
    JOIN relations r ON r.revision_row = u.revision_row AND r.kind = 3
),
up(child_row, update_row) AS (
    SELECT u.update_row, u.update_row FROM updates u WHERE u.kind < 2 AND u.changed_stamp > $6 AND $6 >= 0
    UNION
    SELECT up.child_row, p.update_row
    FROM up
    JOIN relations r ON r.target_row = up.update_row AND r.kind = 3
    JOIN updates p ON p.revision_row = r.revision_row
)
SELECT u.update_id, u.revision_number
FROM updates u
WHERE u.kind < 2
  AND u.update_row IN (
      SELECT update_row FROM down
      UNION
      SELECT up.child_row FROM up
      WHERE EXISTS (
          SELECT FROM update_categories m JOIN categories c ON c.id = m.category_row
          WHERE m.update_row = up.update_row)
        AND EXISTS (
          SELECT FROM update_categories m JOIN classifications c ON c.id = m.category_row
          WHERE m.update_row = up.update_row)
  )
