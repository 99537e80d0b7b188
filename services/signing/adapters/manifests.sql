-- name: add_manifest
INSERT INTO manifest (manifest_id, class_id, school_id, province_id, class_version, state, merkle_root, created_at, signature_level, kind, roles, sheets_required,
    deputies)
VALUES ($1, $2, $3, $4, $5, 'ready', $6, $7, $8, $9, $10, $11, $12)

-- name: add_entries
INSERT INTO manifest_entry (manifest_id, transcript_id, version, content_digest, template_version, template_digest, body_digest)
SELECT $1, * FROM unnest($2::uuid[], $3::integer[], $4::bytea[], $5::text[], $6::bytea[], $7::bytea[])

-- name: get_manifests
-- Manifests by id, or by school and class; newest first.
SELECT m.manifest_id, m.class_version AS manifest_class_version, m.state, m.version, m.merkle_root, m.signature_level, m.kind, m.roles, m.sheets_required, m.deputies, c.*,
    (SELECT count(*) FROM manifest_entry AS e WHERE e.manifest_id = m.manifest_id) AS transcripts, sheet.subject, sheet.staff_id
FROM manifest AS m JOIN school_class AS c USING (class_id)
LEFT JOIN LATERAL (
    -- What enrollment says of who teaches counts for more than what grading knew when it sealed.
    SELECT t.subject, coalesce((w.responsible ->> t.subject)::uuid, t.staff_id) AS staff_id
    FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version) LEFT JOIN teaching AS w ON w.class_id = t.class_id
    WHERE e.manifest_id = m.manifest_id LIMIT 1
) AS sheet ON m.kind = 'sheet'
WHERE ($1::uuid IS NULL OR m.manifest_id = $1) AND ($2::uuid IS NULL OR m.school_id = $2) AND ($3::uuid IS NULL OR m.class_id = $3)
  AND ($4::text IS NULL OR (m.state = 'ready' AND $4 = ANY (m.roles) AND NOT EXISTS (SELECT FROM approval AS a WHERE a.manifest_id = m.manifest_id AND a.role = $4)))
ORDER BY m.created_at DESC, m.manifest_id LIMIT 1000

-- name: approvals
SELECT * FROM approval WHERE manifest_id = ANY ($1::uuid[]) ORDER BY approved_at

-- name: signed_by_role
-- Roles under which every entry of a manifest that is still alive has been signed.
SELECT s.manifest_id, s.role, count(*) AS signed FROM signature AS s WHERE s.manifest_id = ANY ($1::uuid[]) GROUP BY s.manifest_id, s.role

-- name: entries
SELECT e.*, t.pupil_id, t.public_id, t.corrections, t.content, t.kind, t.subject FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version)
WHERE e.manifest_id = $1 ORDER BY e.transcript_id

-- name: manifest_lines
SELECT * FROM manifest_entry WHERE manifest_id = $1 ORDER BY transcript_id

-- name: stored
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject, t.body_pack, e.body_digest
FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version)
WHERE e.manifest_id = $1 AND e.transcript_id = $2

-- name: approve
INSERT INTO approval (manifest_id, role, merkle_root, account_id, person_id, staff_id, authority, certificate_sha256, approved_at, image_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: touch_manifest
UPDATE manifest SET version = version + 1 WHERE manifest_id = $1 RETURNING version

-- name: move_manifest
UPDATE manifest SET state = $2, reason = $3, version = version + 1 WHERE manifest_id = $1 AND state = 'ready' RETURNING version

-- name: unfinished
SELECT count(*) FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version) WHERE e.manifest_id = $1 AND t.state = 'prepared'
