-- name: homes
-- The classes in which these pupils count, without a lock.
SELECT DISTINCT p.class_id FROM pupils p
JOIN unnest($1::uuid[], $2::smallint[]) AS k (pupil_id, school_year) USING (pupil_id, school_year)
WHERE p.class_id <> ''

-- name: make_classes
INSERT INTO classes (class_id) SELECT unnest($1::uuid[]) ORDER BY 1 ON CONFLICT DO NOTHING

-- name: lock_classes
-- locks: classes rows, in order of id
SELECT class_id, version, province_id, school_id, school_year, grade, name, signing FROM classes
WHERE class_id = ANY ($1::uuid[]) ORDER BY class_id FOR UPDATE

-- name: members
SELECT pupil_id, school_year FROM pupils WHERE class_id = ANY ($1::text[])

-- name: make_pupils
INSERT INTO pupils (pupil_id, school_year) SELECT * FROM unnest($1::uuid[], $2::smallint[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING

-- name: lock_pupils
-- locks: pupils rows, in order of key
SELECT p.pupil_id, p.school_year, p.facts, p.class_id, p.placed_school_id, p.steps, p.reason, p.since FROM pupils p
JOIN unnest($1::uuid[], $2::smallint[]) AS k (pupil_id, school_year) USING (pupil_id, school_year)
ORDER BY p.pupil_id, p.school_year FOR UPDATE OF p

-- name: save_classes
UPDATE classes c SET version = n.version, province_id = n.province_id, school_id = n.school_id, school_year = n.school_year, grade = n.grade, name = n.name,
    signing = n.signing
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::smallint[], $6::smallint[], $7::text[], $8::jsonb[])
    AS n (class_id, version, province_id, school_id, school_year, grade, name, signing)
WHERE c.class_id = n.class_id

-- name: save_pupils
UPDATE pupils p SET facts = n.facts, class_id = n.class_id, placed_school_id = n.placed_school_id, school_id = n.school_id,
    province_id = n.province_id, steps = n.steps, reason = n.reason, since = n.since
FROM unnest($1::uuid[], $2::smallint[], $3::jsonb[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::integer[], $9::text[], $10::timestamptz[])
    AS n (pupil_id, school_year, facts, class_id, placed_school_id, school_id, province_id, steps, reason, since)
WHERE p.pupil_id = n.pupil_id AND p.school_year = n.school_year

-- name: add
-- In order of the key, so that two transactions never wait for each other in a circle.
INSERT INTO counters (school_year, scope, scope_id, grade, measure, pupils)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::bigint[]) AS n (school_year, scope, scope_id, grade, measure, pupils)
ORDER BY scope, scope_id, school_year, grade, measure
ON CONFLICT (scope, scope_id, school_year, grade, measure) DO UPDATE SET pupils = counters.pupils + excluded.pupils

-- name: add_waits
-- In order of the key too, after the counters.
INSERT INTO waits (school_year, scope, scope_id, reason, day, pupils)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::date[], $6::bigint[]) AS n (school_year, scope, scope_id, reason, day, pupils)
ORDER BY scope, scope_id, school_year, reason, day
ON CONFLICT (scope, scope_id, school_year, reason, day) DO UPDATE SET pupils = waits.pupils + excluded.pupils

-- name: keep_waiting
INSERT INTO waiting_news (class_id, pupil_id, news, announced_at) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::timestamptz[])

-- name: take_waiting
DELETE FROM waiting_news WHERE class_id = ANY ($1::uuid[]) RETURNING class_id, pupil_id, news, announced_at

-- name: save_schools
INSERT INTO schools AS s (school_id, version, name, province_id, province_name)
SELECT DISTINCT ON (n.school_id) n.* FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[])
    AS n (school_id, version, name, province_id, province_name) ORDER BY n.school_id, n.version DESC
ON CONFLICT (school_id) DO UPDATE SET version = excluded.version, name = excluded.name,
    province_id = excluded.province_id, province_name = excluded.province_name
WHERE s.version < excluded.version

-- name: save_sheets
INSERT INTO sheets AS s (class_id, subject, term, version, expected, filled)
SELECT DISTINCT ON (n.class_id, n.subject, n.term) n.* FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::bigint[], $5::integer[], $6::integer[])
    AS n (class_id, subject, term, version, expected, filled) ORDER BY n.class_id, n.subject, n.term, n.version DESC
ON CONFLICT (class_id, subject, term) DO UPDATE SET version = excluded.version, expected = excluded.expected, filled = excluded.filled
WHERE s.version < excluded.version

-- name: save_unlocks
INSERT INTO unlocks AS u (unlock_id, class_id, version, state, moved_at)
SELECT DISTINCT ON (n.unlock_id) n.* FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[])
    AS n (unlock_id, class_id, version, state, moved_at) ORDER BY n.unlock_id, n.version DESC
ON CONFLICT (unlock_id) DO UPDATE SET version = excluded.version, state = excluded.state, moved_at = excluded.moved_at
WHERE u.version < excluded.version

-- name: keep_writers_out
-- locks: classes, pupils, counters and waits, against writers, until the end of the transaction
LOCK TABLE classes, pupils, counters, waits IN SHARE ROW EXCLUSIVE MODE

-- name: empty_counters
DELETE FROM counters

-- name: empty_waits
DELETE FROM waits

-- name: page
SELECT pupil_id, school_year, facts, class_id, placed_school_id, steps, reason, since FROM pupils
WHERE (pupil_id, school_year) > ($1::uuid, $2::smallint) ORDER BY pupil_id, school_year LIMIT $3

-- name: latest_year
SELECT max(school_year) AS school_year FROM counters WHERE scope = 'nation' AND scope_id = '' AND pupils <> 0

-- name: school
SELECT school_id::text, province_id, name FROM schools WHERE school_id = $1

-- name: class
SELECT class_id::text, school_id, province_id, name, grade, school_year FROM classes WHERE class_id = $1 AND school_id <> ''

-- name: coverage
-- A class belongs to one school year, so 0 stands for whichever it is.
SELECT measure, sum(pupils)::bigint AS pupils FROM counters WHERE scope = $1 AND scope_id = $2 AND ($3 = 0 OR school_year = $3)
GROUP BY measure HAVING sum(pupils) <> 0

-- name: coverage_by_grade
SELECT grade, measure, pupils FROM counters WHERE scope = $1 AND scope_id = $2 AND school_year = $3 AND pupils <> 0 ORDER BY grade, measure

-- name: waits
SELECT reason, day, pupils FROM waits WHERE scope = $1 AND scope_id = $2 AND school_year = $3 AND pupils <> 0

-- name: waits_of_class
SELECT reason, (since AT TIME ZONE 'UTC')::date AS day, count(*) AS pupils FROM pupils WHERE class_id = $1 AND reason <> '' AND since IS NOT NULL GROUP BY 1, 2

-- name: provinces_of
-- A province's name is whichever its schools tell.
WITH counted AS (
    SELECT scope_id AS province_id, measure, sum(pupils)::bigint AS pupils FROM counters
    WHERE scope = 'province' AND school_year = $1 GROUP BY 1, 2
), named AS (
    SELECT province_id, coalesce((SELECT s.province_name FROM schools s WHERE s.province_id = c.province_id LIMIT 1), '') AS name
    FROM (SELECT DISTINCT province_id FROM counted) c
)
SELECT province_id, '' AS school_id, '' AS class_id, name, 0 AS grade, measure, pupils FROM counted JOIN named USING (province_id)
WHERE pupils <> 0 ORDER BY province_id

-- name: province
-- Whichever its schools tell, as above: asking all of them would cost more the larger the province is.
SELECT (SELECT province_name FROM schools WHERE province_id = $1 LIMIT 1) AS name

-- name: schools_of
SELECT s.province_id, s.school_id::text, '' AS class_id, s.name, 0 AS grade, c.measure, sum(c.pupils)::bigint AS pupils
FROM schools s JOIN counters c ON c.scope = 'school' AND c.scope_id = s.school_id::text AND c.school_year = $1
WHERE ($2 = '' OR s.province_id = $2) AND ($3 = '' OR s.school_id::text = $3)
GROUP BY s.school_id, c.measure HAVING sum(c.pupils) <> 0
ORDER BY s.name, s.school_id

-- name: classes_of
SELECT k.province_id, k.school_id, k.class_id::text, k.name, k.grade, c.measure, c.pupils
FROM classes k JOIN counters c ON c.scope = 'class' AND c.scope_id = k.class_id::text AND c.school_year = $1
WHERE ($2 = '' OR k.province_id = $2) AND ($3 = '' OR k.school_id = $3) AND c.pupils <> 0
ORDER BY k.school_id, k.grade, k.name, k.class_id

-- name: missing
SELECT pupil_id::text, class_id, reason, since FROM pupils
WHERE reason <> '' AND school_year = $1 AND ($2::uuid IS NULL OR school_id = $2) AND ($3 = '' OR class_id = $3)
ORDER BY class_id, reason, pupil_id

-- name: sheets
SELECT class_id::text, subject, term, version, expected, filled FROM sheets WHERE class_id = $1 ORDER BY subject, term

-- name: unlocks
SELECT unlock_id::text, class_id::text, version, state, moved_at FROM unlocks WHERE class_id = $1 AND NOT state = ANY ($2::text[])
ORDER BY moved_at

-- name: sums
-- Each scope's counters beside the sum of the scopes below it; both sides appear even when one has no counter.
WITH class_cells AS (
    SELECT c.grade, c.measure, c.pupils, k.school_id, k.province_id FROM counters c JOIN classes k ON k.class_id::text = c.scope_id
    WHERE c.scope = 'class' AND c.school_year = $1
), below AS (
    SELECT 'school' AS scope, school_id AS scope_id, grade, measure, sum(pupils)::bigint AS pupils FROM class_cells GROUP BY 1, 2, 3, 4
    UNION ALL SELECT 'province', province_id, grade, measure, sum(pupils)::bigint FROM class_cells GROUP BY 1, 2, 3, 4
    UNION ALL SELECT 'nation', '', grade, measure, sum(pupils)::bigint FROM counters WHERE scope = 'province' AND school_year = $1 GROUP BY 3, 4
)
SELECT scope, scope_id, grade, measure, coalesce(b.pupils, 0) AS below, coalesce(c.pupils, 0) AS above
FROM below b FULL JOIN (SELECT * FROM counters WHERE scope <> 'class' AND school_year = $1) c USING (scope, scope_id, grade, measure)
WHERE coalesce(b.pupils, 0) <> coalesce(c.pupils, 0)
    AND ($2 = '' OR (scope = 'province' AND scope_id = $2)
        OR (scope = 'school' AND scope_id IN (SELECT school_id FROM classes WHERE province_id = $2)))
ORDER BY 1, 2, 3, 4

-- name: wait_sums
-- Those who wait for a reason, by day, beside those counted for it.
WITH waiting AS (
    SELECT scope, scope_id, reason, sum(pupils)::bigint AS pupils FROM waits WHERE school_year = $1 GROUP BY 1, 2, 3
), counted AS (
    SELECT scope, scope_id, substr(measure, 8) AS reason, sum(pupils)::bigint AS pupils FROM counters
    WHERE school_year = $1 AND scope <> 'class' AND measure LIKE 'reason:%' GROUP BY 1, 2, 3
)
SELECT scope, scope_id, reason, coalesce(w.pupils, 0) AS waiting, coalesce(c.pupils, 0) AS counted
FROM waiting w FULL JOIN counted c USING (scope, scope_id, reason)
WHERE coalesce(w.pupils, 0) <> coalesce(c.pupils, 0)
    AND ($2 = '' OR (scope = 'province' AND scope_id = $2)
        OR (scope = 'school' AND scope_id IN (SELECT school_id FROM classes WHERE province_id = $2)))
ORDER BY 1, 2, 3

-- name: recount_waits
-- Each school's days beside a fresh count of its pupils.
WITH fresh AS (
    SELECT coalesce(school_id::text, '') AS school_id, reason, (since AT TIME ZONE 'UTC')::date AS day, count(*) AS pupils FROM pupils
    WHERE school_year = $1 AND reason <> '' AND ($2 = '' OR province_id = $2) GROUP BY 1, 2, 3
), kept AS (
    SELECT scope_id AS school_id, reason, day, pupils FROM waits WHERE school_year = $1 AND scope = 'school'
        AND ($2 = '' OR scope_id IN (SELECT school_id FROM classes WHERE province_id = $2))
)
SELECT school_id, reason, day, coalesce(f.pupils, 0) AS fresh, coalesce(k.pupils, 0) AS kept
FROM fresh f FULL JOIN kept k USING (school_id, reason, day) WHERE coalesce(f.pupils, 0) <> coalesce(k.pupils, 0) ORDER BY 1, 2, 3

-- name: recount
-- Each class's counters beside a fresh count of its pupils.
WITH fresh AS (
    SELECT p.class_id, coalesce(k.grade, 0::smallint) AS grade, m.measure, count(*) AS pupils
    FROM pupils p LEFT JOIN classes k ON k.class_id::text = p.class_id
    CROSS JOIN LATERAL (
        SELECT name AS measure FROM unnest($3::text[], $4::integer[]) AS s (name, bit) WHERE p.steps & s.bit <> 0
        UNION ALL SELECT 'reason:' || p.reason WHERE p.reason <> ''
    ) m
    WHERE p.school_year = $1 AND p.class_id <> '' AND ($2 = '' OR p.province_id = $2)
    GROUP BY 1, 2, 3
), kept AS (
    SELECT c.scope_id AS class_id, c.grade, c.measure, c.pupils FROM counters c JOIN classes k ON k.class_id::text = c.scope_id
    WHERE c.scope = 'class' AND c.school_year = $1 AND ($2 = '' OR k.province_id = $2)
)
SELECT class_id, grade, measure, coalesce(f.pupils, 0) AS fresh, coalesce(k.pupils, 0) AS kept
FROM fresh f FULL JOIN kept k USING (class_id, grade, measure) WHERE coalesce(f.pupils, 0) <> coalesce(k.pupils, 0) ORDER BY 1, 2, 3

-- name: take_snapshot
-- Rows of those scopes alone whose numbers differ from what was written down last.
INSERT INTO snapshots (school_year, scope, scope_id, taken_at, counts)
SELECT n.school_year, n.scope, n.scope_id, $1, n.counts FROM (
    SELECT school_year, scope, scope_id, jsonb_object_agg(measure, pupils) AS counts FROM (
        SELECT school_year, scope, scope_id, measure, sum(pupils)::bigint AS pupils FROM counters WHERE scope = ANY ($2::text[]) GROUP BY 1, 2, 3, 4
    ) m GROUP BY 1, 2, 3
) n LEFT JOIN LATERAL (
    SELECT s.counts FROM snapshots s WHERE s.scope = n.scope AND s.scope_id = n.scope_id AND s.school_year = n.school_year ORDER BY s.taken_at DESC LIMIT 1
) l ON true
WHERE l.counts IS DISTINCT FROM n.counts ON CONFLICT DO NOTHING

-- name: history
SELECT taken_at, counts::text FROM snapshots WHERE scope = $1 AND scope_id = $2 AND school_year = $3 AND taken_at <= $5
    AND taken_at >= coalesce((SELECT max(taken_at) FROM snapshots WHERE scope = $1 AND scope_id = $2 AND school_year = $3 AND taken_at <= $4), $4)
ORDER BY taken_at
