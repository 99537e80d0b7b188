-- name: make_items
INSERT INTO tallied (subject, item_id) SELECT $1, unnest($2::uuid[]) ORDER BY 2 ON CONFLICT DO NOTHING

-- name: lock_items
-- locks: tallied rows, in order of id
SELECT item_id, facts::text, school_id, province_id, counts::text, turns_at FROM tallied WHERE subject = $1 AND item_id = ANY ($2::uuid[]) ORDER BY item_id FOR UPDATE

-- name: make_places
INSERT INTO school_places (school_id) SELECT unnest($1::uuid[]) ORDER BY 1 ON CONFLICT DO NOTHING

-- name: places
-- locks: school_places rows, shared, in order of id
SELECT school_id, province_id FROM school_places WHERE school_id = ANY ($1::uuid[]) ORDER BY school_id FOR SHARE

-- name: lock_places
-- locks: school_places rows, in order of id
SELECT school_id, version, province_id FROM school_places WHERE school_id = ANY ($1::uuid[]) ORDER BY school_id FOR UPDATE

-- name: save_places
UPDATE school_places p SET version = n.version, province_id = n.province_id FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS n (school_id, version, province_id)
WHERE p.school_id = n.school_id

-- name: of_schools
SELECT item_id FROM tallied WHERE subject = $1 AND school_id = ANY ($2::uuid[])

-- name: due
SELECT item_id FROM tallied WHERE subject = $1 AND turns_at <= $2 ORDER BY turns_at LIMIT $3

-- name: page
SELECT item_id FROM tallied WHERE subject = $1 AND item_id > $2 ORDER BY item_id LIMIT $3

-- name: save_items
UPDATE tallied t SET facts = n.facts, school_id = n.school_id, province_id = n.province_id, counts = n.counts, turns_at = n.turns_at
FROM unnest($2::uuid[], $3::jsonb[], $4::uuid[], $5::text[], $6::jsonb[], $7::timestamptz[]) AS n (item_id, facts, school_id, province_id, counts, turns_at)
WHERE t.subject = $1 AND t.item_id = n.item_id

-- name: add
-- In order of the key, so that two transactions never wait for each other in a circle.
INSERT INTO tallies (subject, scope, scope_id, period, kind, measure, amount)
SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]) AS n (scope, scope_id, period, kind, measure, amount)
ORDER BY scope, scope_id, period, kind, measure
ON CONFLICT (subject, scope, scope_id, period, kind, measure) DO UPDATE SET amount = tallies.amount + excluded.amount

-- name: keep_writers_out
-- locks: tallied, school_places and tallies, in the order in which writers take them, until the end of the transaction
LOCK TABLE tallied, school_places, tallies IN SHARE ROW EXCLUSIVE MODE

-- name: empty
DELETE FROM tallies WHERE subject = $1

-- name: tally
SELECT period, kind, measure, amount FROM tallies
WHERE subject = $1 AND scope = $2 AND scope_id = $3 AND period BETWEEN $4 AND $5 AND amount <> 0

-- name: provinces
-- A province's name is whichever its schools tell.
WITH counted AS (
    SELECT scope_id AS province_id, kind, measure, sum(amount)::bigint AS amount FROM tallies
    WHERE subject = $1 AND scope = 'province' AND period BETWEEN $2 AND $3 GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
), named AS (
    SELECT province_id, coalesce((SELECT s.province_name FROM schools s WHERE s.province_id = c.province_id LIMIT 1), '') AS name
    FROM (SELECT DISTINCT province_id FROM counted) c
)
SELECT province_id, '' AS school_id, name, kind, measure, amount FROM counted JOIN named USING (province_id) ORDER BY province_id

-- name: schools
SELECT s.province_id, s.school_id::text, s.name, t.kind, t.measure, sum(t.amount)::bigint AS amount
FROM schools s JOIN tallies t ON t.subject = $1 AND t.scope = 'school' AND t.scope_id = s.school_id::text AND t.period BETWEEN $2 AND $3
WHERE $4 = '' OR s.province_id = $4
GROUP BY s.school_id, t.kind, t.measure HAVING sum(t.amount) <> 0
ORDER BY s.name, s.school_id

-- name: sums
-- Schools beside their province, and provinces beside the nation.
WITH below AS (
    SELECT t.subject, 'province' AS scope, coalesce(p.province_id, '') AS scope_id, t.period, t.kind, t.measure, sum(t.amount)::bigint AS amount
    FROM tallies t LEFT JOIN school_places p ON p.school_id::text = t.scope_id WHERE t.scope = 'school' GROUP BY 1, 3, 4, 5, 6
    UNION ALL SELECT subject, 'nation', '', period, kind, measure, sum(amount)::bigint FROM tallies WHERE scope = 'province' GROUP BY 1, 4, 5, 6
)
SELECT subject, scope, scope_id, period, kind, measure, coalesce(b.amount, 0) AS below, coalesce(t.amount, 0) AS above
FROM below b FULL JOIN (SELECT * FROM tallies WHERE scope <> 'school') t USING (subject, scope, scope_id, period, kind, measure)
WHERE coalesce(b.amount, 0) <> coalesce(t.amount, 0) AND ($1 = '' OR (scope = 'province' AND scope_id = $1)) ORDER BY 1, 2, 3, 4, 5, 6

-- name: recount
-- Each school's counters beside a fresh count of its things.
WITH fresh AS (
    SELECT t.subject, coalesce(t.school_id::text, '') AS school_id, c ->> 0 AS period, c ->> 1 AS kind, c ->> 2 AS measure, sum((c ->> 3)::bigint)::bigint AS amount
    FROM tallied t CROSS JOIN LATERAL jsonb_array_elements(t.counts) AS c WHERE $1 = '' OR t.province_id = $1 GROUP BY 1, 2, 3, 4, 5
), kept AS (
    SELECT t.subject, t.scope_id AS school_id, t.period, t.kind, t.measure, t.amount FROM tallies t LEFT JOIN school_places p ON p.school_id::text = t.scope_id
    WHERE t.scope = 'school' AND ($1 = '' OR p.province_id = $1)
)
SELECT subject, school_id, period, kind, measure, coalesce(f.amount, 0) AS fresh, coalesce(k.amount, 0) AS kept
FROM fresh f FULL JOIN kept k USING (subject, school_id, period, kind, measure) WHERE coalesce(f.amount, 0) <> coalesce(k.amount, 0) ORDER BY 1, 2, 3, 4, 5

-- name: late_turns
-- Nothing is late by more than a look takes, unless nobody looks.
SELECT subject, count(*) AS things FROM tallied WHERE turns_at < now() - interval '10 minutes' AND ($1 = '' OR province_id = $1) GROUP BY 1 ORDER BY 1
