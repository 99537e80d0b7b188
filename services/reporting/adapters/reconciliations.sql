-- name: keep_run
INSERT INTO reconciliations (run_id, taken_at, province_id, school_id, seconds, versions) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING

-- name: keep_discrepancies
INSERT INTO discrepancies (run_id, name, state, why, province_id, school_id, class_id, pupil_id, school_year, version, since)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::smallint[], $10::integer[], $11::timestamptz[])

-- name: forget_runs
DELETE FROM reconciliations WHERE taken_at < $1

-- name: last_run
-- The newest over the place itself, its province, or everything.
SELECT run_id, taken_at, versions FROM reconciliations
WHERE (province_id, school_id) = ('', '') OR (school_id = '' AND province_id = $1 AND $1 <> '') OR (school_id = $2 AND $2 <> '')
ORDER BY taken_at DESC LIMIT 1

-- name: found_by_province
SELECT province_id, '' AS school_id, coalesce((SELECT s.province_name FROM schools s WHERE s.province_id = d.province_id LIMIT 1), '') AS place_name,
    d.name, state, count(*) AS pupils
FROM discrepancies d WHERE run_id = $1 GROUP BY province_id, d.name, state ORDER BY province_id, d.name, state

-- name: found_by_school
SELECT d.province_id, coalesce(d.school_id::text, '') AS school_id, coalesce(s.name, '') AS place_name, d.name, state, count(*) AS pupils
FROM discrepancies d LEFT JOIN schools s USING (school_id)
WHERE run_id = $1 AND ($2 = '' OR d.province_id = $2) AND ($3 = '' OR d.school_id::text = $3)
GROUP BY d.province_id, d.school_id, s.name, d.name, state ORDER BY s.name, d.school_id, d.name, state

-- name: discrepancies
SELECT name, state, why, province_id, coalesce(school_id::text, '') AS school_id, class_id, pupil_id, school_year, version, since FROM discrepancies
WHERE run_id = $1 AND school_id::text = $2 ORDER BY state, name, class_id, pupil_id, version

-- name: last_of_all
SELECT r.taken_at, d.state, count(d.state) AS pupils FROM (
    SELECT run_id, taken_at FROM reconciliations WHERE (province_id, school_id) = ('', '') ORDER BY taken_at DESC LIMIT 1
) r LEFT JOIN discrepancies d USING (run_id) GROUP BY r.taken_at, d.state
