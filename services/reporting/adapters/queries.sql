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
INSERT INTO counters (school_year, scope, scope_id, measure, pupils)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS n (school_year, scope, scope_id, measure, pupils)
ORDER BY scope, scope_id, school_year, measure
ON CONFLICT (scope, scope_id, school_year, measure) DO UPDATE SET pupils = counters.pupils + excluded.pupils

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
-- locks: classes, pupils and counters, against writers, until the end of the transaction
LOCK TABLE classes, pupils, counters IN SHARE ROW EXCLUSIVE MODE

-- name: empty_counters
DELETE FROM counters

-- name: page
SELECT pupil_id, school_year, facts, class_id, placed_school_id, steps, reason, since FROM pupils
WHERE (pupil_id, school_year) > ($1::uuid, $2::smallint) ORDER BY pupil_id, school_year LIMIT $3

-- name: latest_year
SELECT max(school_year) AS school_year FROM counters WHERE scope = 'nation' AND scope_id = '' AND pupils <> 0

-- name: school
SELECT school_id::text, province_id, name FROM schools WHERE school_id::text = $1

-- name: class
SELECT class_id::text, school_id, province_id, name, grade, school_year FROM classes WHERE class_id::text = $1 AND school_id <> ''

-- name: coverage
-- A class belongs to one school year, so 0 stands for whichever it is.
SELECT measure, pupils FROM counters WHERE scope = $1 AND scope_id = $2 AND ($3 = 0 OR school_year = $3) AND pupils <> 0

-- name: provinces_of
WITH names AS (SELECT province_id, max(province_name) AS name FROM schools GROUP BY province_id)
SELECT c.scope_id AS province_id, '' AS school_id, '' AS class_id, coalesce(n.name, '') AS name, 0 AS grade, c.measure, c.pupils
FROM counters c LEFT JOIN names n ON n.province_id = c.scope_id
WHERE c.scope = 'province' AND c.school_year = $1 AND c.pupils <> 0
ORDER BY c.scope_id

-- name: province
SELECT max(province_name) AS name FROM schools WHERE province_id = $1

-- name: schools_of
SELECT s.province_id, s.school_id::text, '' AS class_id, s.name, 0 AS grade, c.measure, c.pupils
FROM schools s JOIN counters c ON c.scope = 'school' AND c.scope_id = s.school_id::text AND c.school_year = $1
WHERE ($2 = '' OR s.province_id = $2) AND ($3 = '' OR s.school_id::text = $3) AND c.pupils <> 0
ORDER BY s.name, s.school_id

-- name: classes_of
SELECT k.province_id, k.school_id, k.class_id::text, k.name, k.grade, c.measure, c.pupils
FROM classes k JOIN counters c ON c.scope = 'class' AND c.scope_id = k.class_id::text AND c.school_year = $1
WHERE ($2 = '' OR k.province_id = $2) AND ($3 = '' OR k.school_id = $3) AND c.pupils <> 0
ORDER BY k.school_id, k.grade, k.name, k.class_id

-- name: missing
SELECT pupil_id::text, class_id, reason, since FROM pupils
WHERE reason <> '' AND school_year = $1 AND ($2 = '' OR school_id::text = $2) AND ($3 = '' OR class_id = $3)
ORDER BY class_id, reason, pupil_id

-- name: sheets
SELECT class_id::text, subject, term, version, expected, filled FROM sheets WHERE class_id::text = $1 ORDER BY subject, term

-- name: unlocks
SELECT unlock_id::text, class_id::text, version, state, moved_at FROM unlocks WHERE class_id::text = $1 AND NOT state = ANY ($2::text[])
ORDER BY moved_at

-- name: sums
-- Each scope's counters beside the sum of the scopes below it; both sides appear even when one has no counter.
WITH class_cells AS (
    SELECT c.measure, c.pupils, k.school_id, k.province_id FROM counters c JOIN classes k ON k.class_id::text = c.scope_id
    WHERE c.scope = 'class' AND c.school_year = $1
), below AS (
    SELECT 'school' AS scope, school_id AS scope_id, measure, sum(pupils)::bigint AS pupils FROM class_cells GROUP BY 1, 2, 3
    UNION ALL SELECT 'province', province_id, measure, sum(pupils)::bigint FROM class_cells GROUP BY 1, 2, 3
    UNION ALL SELECT 'nation', '', measure, sum(pupils)::bigint FROM counters WHERE scope = 'province' AND school_year = $1 GROUP BY 3
)
SELECT scope, scope_id, measure, coalesce(b.pupils, 0) AS below, coalesce(c.pupils, 0) AS above
FROM below b FULL JOIN (SELECT * FROM counters WHERE scope <> 'class' AND school_year = $1) c USING (scope, scope_id, measure)
WHERE coalesce(b.pupils, 0) <> coalesce(c.pupils, 0)
    AND ($2 = '' OR (scope = 'province' AND scope_id = $2)
        OR (scope = 'school' AND scope_id IN (SELECT school_id FROM classes WHERE province_id = $2)))
ORDER BY 1, 2, 3

-- name: recount
-- Each class's counters beside a fresh count of its pupils.
WITH fresh AS (
    SELECT p.class_id, m.measure, count(*) AS pupils
    FROM pupils p
    CROSS JOIN LATERAL (
        SELECT name AS measure FROM unnest($3::text[], $4::integer[]) AS s (name, bit) WHERE p.steps & s.bit <> 0
        UNION ALL SELECT 'reason:' || p.reason WHERE p.reason <> ''
    ) m
    WHERE p.school_year = $1 AND p.class_id <> '' AND ($2 = '' OR p.province_id = $2)
    GROUP BY 1, 2
), kept AS (
    SELECT c.scope_id AS class_id, c.measure, c.pupils FROM counters c JOIN classes k ON k.class_id::text = c.scope_id
    WHERE c.scope = 'class' AND c.school_year = $1 AND ($2 = '' OR k.province_id = $2)
)
SELECT class_id, measure, coalesce(f.pupils, 0) AS fresh, coalesce(k.pupils, 0) AS kept
FROM fresh f FULL JOIN kept k USING (class_id, measure) WHERE coalesce(f.pupils, 0) <> coalesce(k.pupils, 0) ORDER BY 1, 2
