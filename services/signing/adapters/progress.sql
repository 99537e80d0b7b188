-- name: recount
-- Counts of a class, from its documents. Its row is locked by whoever changes them.
WITH listed AS (
    SELECT DISTINCT ON (e.transcript_id, e.version) e.transcript_id, e.version, m.roles FROM manifest AS m JOIN manifest_entry AS e USING (manifest_id)
    WHERE m.class_id = $1 ORDER BY e.transcript_id, e.version, m.created_at DESC
), ordered AS (
    SELECT DISTINCT l.transcript_id, l.version FROM signing_order AS o JOIN order_line AS l USING (order_id)
    WHERE o.class_id = $1 AND o.state IN ('queued', 'released') AND l.state = 'open'
), counted AS MATERIALIZED (
    -- The newest version of each transcript, and every sheet in force: an unlock that halted one brings it back or not.
    SELECT t.kind, t.state, t.failure, t.signed_roles, o.transcript_id IS NOT NULL AS ordered,
        CASE WHEN t.state IN ('prepared', 'signed') THEN l.roles END AS roles,
        CASE WHEN t.state = 'prepared' THEN l.roles[t.signed_roles + 1] END AS turn
    FROM transcript AS t
    LEFT JOIN listed AS l USING (transcript_id, version)
    LEFT JOIN ordered AS o USING (transcript_id, version)
    WHERE t.class_id = $1 AND t.kind <> 'copy'
      AND CASE t.kind WHEN 'sheet' THEN t.state <> 'halted' OR t.failure <> ''
          ELSE NOT EXISTS (SELECT FROM transcript AS n WHERE n.transcript_id = t.transcript_id AND n.version > t.version) END
), reasons AS (
    -- What is under way goes on by itself, and is asked for again; anything else waits for somebody.
    SELECT ordered AS waiting, substring(failure FROM '^[a-z0-9_]+') AS code, count(*) AS documents FROM counted WHERE failure <> '' GROUP BY 1, 2
), gone AS (
    DELETE FROM class_reason AS r WHERE r.class_id = $1 AND NOT EXISTS (SELECT FROM reasons AS n WHERE n.waiting = r.waiting AND n.code = r.code)
), told AS (
    INSERT INTO class_reason (class_id, waiting, code, school_id, province_id, school_year, documents)
    SELECT k.class_id, n.waiting, n.code, k.school_id, k.province_id, k.school_year, n.documents FROM school_class AS k CROSS JOIN reasons AS n WHERE k.class_id = $1
    ON CONFLICT (class_id, waiting, code) DO UPDATE SET school_id = excluded.school_id, province_id = excluded.province_id,
        school_year = excluded.school_year, documents = excluded.documents
)
INSERT INTO class_progress (class_id, school_id, province_id, school_year,
    transcripts, prepared, completed, homeroom_teacher_needed, homeroom_teacher_signed, homeroom_teacher_turn, homeroom_teacher_ordered,
    principal_needed, principal_signed, principal_turn, principal_ordered, school_seal_needed, school_seal_signed, school_seal_turn,
    school_seal_ordered, subject_teacher_needed, subject_teacher_signed, subject_teacher_turn, subject_teacher_ordered)
SELECT k.class_id, k.school_id, k.province_id, k.school_year,
    count(*) FILTER (WHERE c.kind = 'transcript'), count(*) FILTER (WHERE c.kind = 'transcript' AND c.state IN ('prepared', 'signed')),
    count(*) FILTER (WHERE c.kind = 'transcript' AND c.state = 'signed'), count(*) FILTER (WHERE 'homeroom_teacher' = ANY (c.roles)),
    count(*) FILTER (WHERE 'homeroom_teacher' = ANY (c.roles[:c.signed_roles])), count(*) FILTER (WHERE c.turn = 'homeroom_teacher'),
    count(*) FILTER (WHERE c.turn = 'homeroom_teacher' AND c.ordered), count(*) FILTER (WHERE 'principal' = ANY (c.roles)),
    count(*) FILTER (WHERE 'principal' = ANY (c.roles[:c.signed_roles])), count(*) FILTER (WHERE c.turn = 'principal'),
    count(*) FILTER (WHERE c.turn = 'principal' AND c.ordered), count(*) FILTER (WHERE 'school_seal' = ANY (c.roles)),
    count(*) FILTER (WHERE 'school_seal' = ANY (c.roles[:c.signed_roles])), count(*) FILTER (WHERE c.turn = 'school_seal'),
    count(*) FILTER (WHERE c.turn = 'school_seal' AND c.ordered), count(*) FILTER (WHERE c.kind = 'sheet'),
    count(*) FILTER (WHERE c.kind = 'sheet' AND c.state IN ('prepared', 'signed') AND c.signed_roles > 0), count(*) FILTER (WHERE c.turn = 'subject_teacher'),
    count(*) FILTER (WHERE c.turn = 'subject_teacher' AND c.ordered)
FROM school_class AS k LEFT JOIN counted AS c ON true WHERE k.class_id = $1 GROUP BY k.class_id
ON CONFLICT (class_id) DO UPDATE SET school_id = excluded.school_id, province_id = excluded.province_id, school_year = excluded.school_year,
    transcripts = excluded.transcripts, prepared = excluded.prepared, completed = excluded.completed,
    homeroom_teacher_needed = excluded.homeroom_teacher_needed, homeroom_teacher_signed = excluded.homeroom_teacher_signed,
    homeroom_teacher_turn = excluded.homeroom_teacher_turn, homeroom_teacher_ordered = excluded.homeroom_teacher_ordered,
    principal_needed = excluded.principal_needed, principal_signed = excluded.principal_signed, principal_turn = excluded.principal_turn,
    principal_ordered = excluded.principal_ordered, school_seal_needed = excluded.school_seal_needed,
    school_seal_signed = excluded.school_seal_signed, school_seal_turn = excluded.school_seal_turn,
    school_seal_ordered = excluded.school_seal_ordered, subject_teacher_needed = excluded.subject_teacher_needed,
    subject_teacher_signed = excluded.subject_teacher_signed, subject_teacher_turn = excluded.subject_teacher_turn,
    subject_teacher_ordered = excluded.subject_teacher_ordered

-- name: latest_year
SELECT max(school_year) FROM class_progress

-- name: add_up
-- By province, school or class ($1); an empty place doesn't narrow.
SELECT p.province_id, CASE WHEN $1 <> 'province' THEN p.school_id END AS school_id, CASE WHEN $1 = 'class' THEN p.class_id END AS class_id, count(*) AS classes,
    sum(p.transcripts) AS transcripts, sum(p.prepared) AS prepared, sum(p.completed) AS completed,
    sum(p.homeroom_teacher_needed) AS homeroom_teacher_needed, sum(p.homeroom_teacher_signed) AS homeroom_teacher_signed,
    sum(p.homeroom_teacher_turn) AS homeroom_teacher_turn, sum(p.homeroom_teacher_ordered) AS homeroom_teacher_ordered,
    sum(p.principal_needed) AS principal_needed, sum(p.principal_signed) AS principal_signed, sum(p.principal_turn) AS principal_turn,
    sum(p.principal_ordered) AS principal_ordered, sum(p.school_seal_needed) AS school_seal_needed,
    sum(p.school_seal_signed) AS school_seal_signed, sum(p.school_seal_turn) AS school_seal_turn,
    sum(p.school_seal_ordered) AS school_seal_ordered, sum(p.subject_teacher_needed) AS subject_teacher_needed,
    sum(p.subject_teacher_signed) AS subject_teacher_signed, sum(p.subject_teacher_turn) AS subject_teacher_turn,
    sum(p.subject_teacher_ordered) AS subject_teacher_ordered
FROM class_progress AS p
WHERE p.school_year = $2 AND ($3::text IS NULL OR p.province_id = $3) AND ($4::uuid IS NULL OR p.school_id = $4) AND ($5::uuid IS NULL OR p.class_id = $5)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3

-- name: reasons
SELECT r.province_id, CASE WHEN $1 <> 'province' THEN r.school_id END AS school_id, CASE WHEN $1 = 'class' THEN r.class_id END AS class_id,
    r.waiting, r.code, sum(r.documents) AS documents
FROM class_reason AS r
WHERE r.school_year = $2 AND ($3::text IS NULL OR r.province_id = $3) AND ($4::uuid IS NULL OR r.school_id = $4) AND ($5::uuid IS NULL OR r.class_id = $5)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 5

-- name: names
-- What schools are called, and the grades of classes.
SELECT school_id AS id, name, 0 AS grade FROM school WHERE school_id = ANY ($1::uuid[])
UNION ALL SELECT class_id, '', grade FROM school_class WHERE class_id = ANY ($2::uuid[])

-- name: of_classes
SELECT * FROM class_progress WHERE ($1::uuid IS NULL OR school_id = $1) AND ($2::uuid IS NULL OR class_id = $2) ORDER BY class_id

-- name: failures
-- In the order of place and document, after one that was the last of the page before.
SELECT t.province_id, t.school_id, t.class_id, t.transcript_id, t.version, t.kind, t.subject, t.failure,
    EXISTS (SELECT FROM signing_order AS o JOIN order_line AS l USING (order_id)
        WHERE o.class_id = t.class_id AND o.state IN ('queued', 'released') AND l.transcript_id = t.transcript_id AND l.version = t.version AND l.state = 'open') AS waiting
FROM transcript AS t
WHERE t.failure <> '' AND ($1::text IS NULL OR t.province_id = $1) AND ($2::uuid IS NULL OR t.school_id = $2) AND ($3::uuid IS NULL OR t.class_id = $3)
  AND ($4::text = '' OR (t.province_id, t.school_id, t.class_id, t.transcript_id, t.version) > ($4, $5::uuid, $6::uuid, $7::uuid, $8::integer))
  AND CASE t.kind WHEN 'sheet' THEN true ELSE NOT EXISTS (SELECT FROM transcript AS n WHERE n.transcript_id = t.transcript_id AND n.version > t.version) END
ORDER BY t.province_id, t.school_id, t.class_id, t.transcript_id, t.version LIMIT $9
