-- $N updates of 60 products in 6 families and 12 classifications, ten years of them, by 200 synchronizations; a third
-- superseded, a tenth expired, some approved, some declined, some with files. For the tests of the list and for the bench.
INSERT INTO publications (stamp) VALUES (1);
INSERT INTO update_ids (update_id)
    SELECT ('10000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid FROM generate_series(1, 80 + $N) n;
CREATE TEMPORARY TABLE made AS
SELECT n, CASE WHEN n <= 68 THEN 2 WHEN n <= 80 THEN 3 ELSE 0 END AS kind,
    CASE WHEN n <= 80 THEN 'Category ' || n ELSE
        (ARRAY['Cumulative Update', 'Security Update', 'Definition Update', 'Servicing Stack Update', 'Driver Update',
               'Feature Update', 'Dynamic Update', 'Preview Update'])[1 + n % 8] || ' for ' ||
        (ARRAY['Windows 11', 'Windows 10', 'Windows Server 2022', 'Office 2016', 'SQL Server 2019', 'Exchange',
               'Visual Studio', '.NET 8.0', 'Microsoft Edge'])[1 + n / 8 % 9] || ' for ' ||
        (ARRAY['x64', 'x86', 'arm64'])[1 + n / 72 % 3] || '-based Systems, build ' || (n::bigint * 7919) % 100003 ||
        ' (KB' || 4000000 + n || ')' END AS title,
    CASE WHEN n <= 80 THEN '' ELSE (4000000 + n)::text END AS kb,
    now() - (n * 31 % 3650) * interval '1 day' - n * interval '1 second' AS created
FROM generate_series(1, 80 + $N) n;
INSERT INTO revisions (update_row, revision_number, publication_id, kind, approvable, expired, severity,
    category_type, title, description, kb, created, details)
SELECT n, 1, 1, kind, kind = 0, kind = 0 AND n % 10 = 3, CASE WHEN kind = 0 THEN n % 5 ELSE 0 END,
    CASE kind WHEN 2 THEN CASE WHEN n <= 6 THEN 'ProductFamily' ELSE 'Product' END WHEN 3 THEN 'UpdateClassification' END,
    title, 'Install this update to resolve issues in the product. After it is installed the computer may have to be '
    || 'restarted. Reference ' || md5(n::text) || ' ' || repeat('More words about the matter. ', 12), kb, created,
    CASE WHEN kind = 0 AND n % 400 = 3 THEN '{"eula": "00000000-0000-0000-0000-0000000000e1"}'::jsonb ELSE '{}' END
FROM made ORDER BY n;
INSERT INTO updates (update_row, update_id, revision_row, revision_number, changed_stamp, first_run_id, last_run_id,
    arrived_at, kind, approvable, expired, superseded, severity, category_type, title, kb, bulletin, created)
SELECT r.update_row, i.update_id, r.id, 1, 1, 1 + r.update_row % 200, 1 + r.update_row % 200,
    now() - (r.update_row % 200) * interval '1 day', r.kind, r.approvable, r.expired, r.update_row % 3 = 0, r.severity,
    r.category_type, r.title, r.kb, '', r.created
FROM revisions r JOIN update_ids i ON i.id = r.update_row ORDER BY r.update_row;
INSERT INTO update_categories (update_row, category_row)
SELECT n, 1 + n % 6 FROM generate_series(7, 68) n
UNION SELECT n, 7 + n % 62 FROM generate_series(81, 80 + $N) n
UNION SELECT n, 69 + n / 62 % 12 FROM generate_series(81, 80 + $N) n;
INSERT INTO update_search (update_row, search, categories)
SELECT u.update_row, lower(concat_ws(' ', r.title, 'kb' || r.kb, u.update_id::text, r.description)),
    ARRAY(SELECT m.category_row FROM update_categories m WHERE m.update_row = u.update_row)
FROM updates u JOIN revisions r ON r.id = u.revision_row WHERE u.approvable ORDER BY u.update_row;
INSERT INTO update_changes (stamp, update_row, change, run_id)
SELECT 2 + n % 200, n, 0, 1 + n % 200 FROM generate_series(81, 80 + $N) n;
INSERT INTO approvals (update_id, revision_number, group_id, action, approved_by, stamp)
SELECT update_id, 1, 'a0a08746-4dbe-4a37-9adf-9e7652c0b421',
    CASE WHEN update_row % 20 = 1 THEN 0 WHEN update_row % 5000 = 7 THEN 1 ELSE 2 END, 'anna', 1
FROM updates WHERE approvable AND (update_row % 3 = 1 OR update_row % 5000 = 7);
INSERT INTO declined_updates (update_id, declined_by)
SELECT update_id, 'anna' FROM updates WHERE approvable AND update_row % 7 = 5;
INSERT INTO files (sha1, size, name)
SELECT decode(lpad(to_hex(n), 40, '0'), 'hex'), 1000, 'f' FROM generate_series(1, 4000) n;
INSERT INTO revision_files (revision_row, file_row) SELECT r.id, f.id FROM files f JOIN revisions r ON r.update_row = 80 + f.id * 7;
INSERT INTO content_files (file_row, state)
SELECT id, CASE WHEN id % 50 = 0 THEN 'failed' WHEN id % 9 = 0 THEN 'wanted' ELSE 'stored' END FROM files
