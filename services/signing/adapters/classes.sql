-- name: hold_class
-- The class under its lock.
-- locks: school_class row
SELECT * FROM school_class WHERE class_id = $1 FOR UPDATE

-- name: make_class
-- First sight of a class.
INSERT INTO school_class (class_id, school_id, province_id, school_year, grade, level, class_version, sealed_at, homeroom_staff_id, homeroom_version)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN h.class_id IS NULL THEN $9::uuid ELSE h.staff_id END, coalesce(h.version, 0)
FROM (SELECT 1) AS one LEFT JOIN homeroom AS h ON h.class_id = $1
ON CONFLICT (class_id) DO NOTHING

-- name: raise_class
-- A newer seal of a class.
UPDATE school_class SET class_version = $2, sealed_at = $3, 
    -- What enrollment says of the homeroom teacher counts for more than what grading knew when it sealed.
    homeroom_staff_id = CASE WHEN homeroom_version > 0 THEN homeroom_staff_id ELSE coalesce($4, homeroom_staff_id) END
WHERE class_id = $1

-- name: schools_of_classes
-- Whose classes these are: for callers whose roles name classes only.
SELECT DISTINCT school_id FROM school_class WHERE class_id = ANY ($1::uuid[])

-- name: add_part
-- Note a part; returns a row only the first time.
INSERT INTO class_part (class_id, class_version, part) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING part

-- name: count_parts
SELECT count(*) FROM class_part WHERE class_id = $1 AND class_version = $2

-- name: add_pupils
-- New versions come in; a halted version that is sealed again unchanged comes back to life.
INSERT INTO transcript (transcript_id, version, pupil_id, class_id, school_id, province_id, class_version, public_id, content_digest, content, corrections, state, failure)
SELECT t.id, t.version, t.pupil, $1, $2, $3, $4, t.public_id, t.digest, t.content, t.corrections, 'sealed', t.failure
FROM unnest($5::uuid[], $6::integer[], $7::uuid[], $8::text[], $9::bytea[], $10::bytea[], $11::integer[], $12::text[])
    AS t (id, version, pupil, public_id, digest, content, corrections, failure)
ON CONFLICT (transcript_id, version) DO UPDATE
SET state = 'sealed', failure = excluded.failure, class_version = excluded.class_version, class_id = excluded.class_id,
    school_id = excluded.school_id, province_id = excluded.province_id
WHERE transcript.state = 'halted' AND transcript.content_digest = excluded.content_digest

-- name: add_sheets
-- Class-subject sheets come in, or come again with whoever is responsible now.
INSERT INTO transcript (transcript_id, version, kind, subject, staff_id, class_id, school_id, province_id, class_version, public_id, content_digest, content, corrections, state, failure)
SELECT s.id, s.version, 'sheet', s.subject, s.staff, $1, $2, $3, $4, s.public_id, s.digest, s.content, 0, 'sealed', s.failure
FROM unnest($5::uuid[], $6::integer[], $7::text[], $8::uuid[], $9::text[], $10::bytea[], $11::bytea[], $12::text[])
    AS s (id, version, subject, staff, public_id, digest, content, failure)
ON CONFLICT (transcript_id, version) DO UPDATE
SET staff_id = excluded.staff_id,
    state = CASE WHEN transcript.state = 'halted' THEN 'sealed' ELSE transcript.state END,
    failure = CASE WHEN transcript.state = 'halted' THEN excluded.failure ELSE transcript.failure END
WHERE transcript.content_digest = excluded.content_digest

-- name: add_copy
-- A certified copy to be made; returns a row only the first time.
INSERT INTO transcript (transcript_id, version, kind, class_id, school_id, province_id, class_version, public_id, content_digest, content, corrections, state, failure)
VALUES ($1, 1, 'copy', $2, $3, $4, $5, $6, $7, $8, 0, 'sealed', '') ON CONFLICT (transcript_id, version) DO NOTHING RETURNING transcript_id

-- name: add_needs
-- Which sheets a transcript's rows stand in.
INSERT INTO sheet_need (transcript_id, version, sheet_id, sheet_version)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::integer[]) ON CONFLICT DO NOTHING

-- name: needing
-- Unsigned transcripts whose rows stand in these sheets, by the ready manifest that its first role has approved.
SELECT DISTINCT m.manifest_id, t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject
FROM unnest($1::uuid[], $2::integer[]) AS s (id, version)
JOIN sheet_need AS n ON n.sheet_id = s.id AND n.sheet_version = s.version
JOIN transcript AS t ON t.transcript_id = n.transcript_id AND t.version = n.version AND t.state = 'prepared' AND t.signed_roles = 0
JOIN manifest AS m ON m.class_id = t.class_id AND m.state = 'ready'
JOIN manifest_entry AS e ON e.manifest_id = m.manifest_id AND e.transcript_id = t.transcript_id AND e.version = t.version
JOIN approval AS a ON a.manifest_id = m.manifest_id AND a.role = m.roles[1]
ORDER BY m.manifest_id, t.transcript_id

-- name: supersede_older
-- Versions that a newer one overtook before they were finished.
UPDATE transcript AS old SET state = 'superseded', failure = ''
FROM unnest($1::uuid[], $2::integer[]) AS new (id, version)
WHERE old.transcript_id = new.id AND old.version < new.version AND old.state IN ('sealed', 'prepared', 'halted')

-- name: to_prepare
-- A copy has its order from the beginning: sealing the class anew is nothing to it.
SELECT transcript_id, pupil_id, version, content_digest, public_id, kind, subject FROM transcript
WHERE class_id = $1 AND kind <> 'copy' AND state = 'sealed' AND failure = '' ORDER BY transcript_id

-- name: to_prepare_again
SELECT transcript_id, pupil_id, version, content_digest, public_id, kind, subject FROM transcript
WHERE class_id = $1 AND state IN ('sealed', 'halted') AND failure <> '' ORDER BY transcript_id

-- name: contents
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject, t.content
FROM transcript AS t JOIN unnest($1::uuid[], $2::integer[]) AS wanted (id, version) ON t.transcript_id = wanted.id AND t.version = wanted.version
WHERE t.state IN ('sealed', 'halted')

-- name: prepared
-- The pages are made; whatever was signed under an older manifest counts no more.
UPDATE transcript AS t
SET state = 'prepared', failure = '', template_version = p.template_version, template_digest = p.template_digest, body_digest = p.body_digest,
    body_pack = $6, signed_roles = 0, current_digest = p.body_digest, current_pack = $6
FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::bytea[], $5::bytea[]) AS p (id, version, template_version, template_digest, body_digest)
WHERE t.transcript_id = p.id AND t.version = p.version

-- name: failed
UPDATE transcript AS t SET failure = f.reason
FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS f (id, version, reason)
WHERE t.transcript_id = f.id AND t.version = f.version

-- name: waiting
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject, t.template_version, t.template_digest, t.body_digest,
    t.signed_roles, t.current_digest, t.current_pack
FROM transcript AS t JOIN unnest($1::uuid[], $2::integer[]) AS wanted (id, version) ON t.transcript_id = wanted.id AND t.version = wanted.version
WHERE t.state = 'prepared' AND t.signed_roles = $3
  AND ($3 > 0 OR NOT EXISTS (
    SELECT FROM sheet_need AS n LEFT JOIN transcript AS s ON s.transcript_id = n.sheet_id AND s.version = n.sheet_version
    WHERE n.transcript_id = t.transcript_id AND n.version = t.version AND (s.signed_roles > 0 AND s.state IN ('prepared', 'signed')) IS NOT TRUE
  ))
ORDER BY t.transcript_id

-- name: halt_unfinished
-- With a manifest only its pupils, else the whole class. Nothing seals a copy again, so that one waits for a retry.
UPDATE transcript AS t SET state = 'halted', failure = CASE WHEN t.kind = 'copy' AND $3 = '' THEN 'halted: the class was unlocked; retry' ELSE $3 END
WHERE t.class_id = $1 AND t.state IN ('sealed', 'prepared')
  AND ($2::uuid IS NULL OR EXISTS (SELECT FROM manifest_entry AS e WHERE e.manifest_id = $2 AND e.transcript_id = t.transcript_id AND e.version = t.version))

-- name: signed_count
-- Newest versions that are signed to the end.
SELECT count(*) FROM transcript AS t
WHERE t.class_id = $1 AND t.kind = 'transcript' AND t.state = 'signed' AND NOT EXISTS (SELECT FROM transcript AS n WHERE n.transcript_id = t.transcript_id AND n.version > t.version)
