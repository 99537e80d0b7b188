-- name: make_tallies
INSERT INTO class_results (class_id) SELECT unnest($1::uuid[]) ORDER BY 1 ON CONFLICT DO NOTHING

-- name: lock_tallies
-- locks: class_results rows, in order of id
SELECT class_id::text, version, school_year, province_id, grade, counts FROM class_results WHERE class_id = ANY ($1::uuid[]) ORDER BY class_id FOR UPDATE

-- name: save_tallies
UPDATE class_results c SET version = n.version, school_year = n.school_year, province_id = n.province_id, grade = n.grade, counts = n.counts
FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::smallint[], $6::jsonb[]) AS n (class_id, version, school_year, province_id, grade, counts)
WHERE c.class_id = n.class_id

-- name: add_results
-- In order of the key, so that two transactions never wait for each other in a circle.
INSERT INTO result_counters (school_year, province_id, grade, item, level, pupils)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::bigint[]) AS n (school_year, province_id, grade, item, level, pupils)
ORDER BY school_year, item, grade, province_id, level
ON CONFLICT (school_year, item, grade, province_id, level) DO UPDATE SET pupils = result_counters.pupils + excluded.pupils

-- name: latest_results_year
SELECT max(school_year) AS school_year FROM result_counters WHERE pupils <> 0

-- name: results
SELECT school_year, province_id, grade, item, level, pupils FROM result_counters
WHERE school_year = $1 AND ($2 = '' OR item = $2) AND pupils <> 0 ORDER BY item, grade, province_id, level

-- name: enrolments
-- Grade 0 is of classes of which nobody has told their grade yet.
SELECT school_year, grade, pupils FROM counters
WHERE scope = $1 AND scope_id = $2 AND measure = 'enrolled' AND grade > 0 AND pupils <> 0 ORDER BY school_year, grade

-- name: province_names
SELECT province_id, max(province_name) AS name FROM schools GROUP BY province_id

-- name: keep_result_writers_out
-- locks: class_results and result_counters, against writers, until the end of the transaction
LOCK TABLE class_results, result_counters IN SHARE ROW EXCLUSIVE MODE

-- name: empty_results
DELETE FROM result_counters

-- name: recount_results
INSERT INTO result_counters (school_year, province_id, grade, item, level, pupils)
SELECT c.school_year, c.province_id, c.grade, n.count->>0, n.count->>1, sum((n.count->>2)::bigint)
FROM class_results c CROSS JOIN LATERAL jsonb_array_elements(c.counts) AS n (count) GROUP BY 1, 2, 3, 4, 5

-- name: result_sums
-- Each counter beside the sum of what the classes told.
WITH fresh AS (
    SELECT c.province_id, c.grade, n.count->>0 AS item, n.count->>1 AS level, sum((n.count->>2)::bigint)::bigint AS pupils
    FROM class_results c CROSS JOIN LATERAL jsonb_array_elements(c.counts) AS n (count)
    WHERE c.school_year = $1 AND ($2 = '' OR c.province_id = $2) GROUP BY 1, 2, 3, 4
), kept AS (
    SELECT province_id, grade, item, level, pupils FROM result_counters WHERE school_year = $1 AND ($2 = '' OR province_id = $2)
)
SELECT province_id, grade, item, level, coalesce(f.pupils, 0) AS fresh, coalesce(k.pupils, 0) AS kept
FROM fresh f FULL JOIN kept k USING (province_id, grade, item, level) WHERE coalesce(f.pupils, 0) <> coalesce(k.pupils, 0) ORDER BY 1, 2, 3, 4
