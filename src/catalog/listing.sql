-- The updates a filter selects and everything bundled below them, at their current revision.
--   selected  in a wanted category and in a wanted classification
--   down      what changed (or is wanted again) of those, and all its bundled children at every level
--   up        what changed by itself, followed to whatever bundles it: a child that arrived after its parent
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
by_category AS (
    SELECT m.update_row, bool_or(c.again) AS again
    FROM update_categories m JOIN categories c ON c.id = m.category_row
    GROUP BY m.update_row
),
by_classification AS (
    SELECT m.update_row, bool_or(c.again) AS again
    FROM update_categories m JOIN classifications c ON c.id = m.category_row
    GROUP BY m.update_row
),
selected AS MATERIALIZED (
    SELECT u.update_row, (a.again OR b.again OR $5) AS again, u.changed_stamp
    FROM by_category a
    JOIN by_classification b ON b.update_row = a.update_row
    JOIN updates u ON u.update_row = a.update_row
    WHERE u.kind < 2
),
down(update_row) AS (
    SELECT update_row FROM selected WHERE again OR changed_stamp > $6
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
      SELECT up.child_row FROM up JOIN selected s ON s.update_row = up.update_row
  )
