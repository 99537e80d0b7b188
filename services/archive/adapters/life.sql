-- name: status
-- What the public may know. Nothing here tells who the pupil is. A copy or an extract is worth what its original is worth. No later sheet takes an earlier
-- one's place as a whole.
WITH found AS (
    SELECT 'transcript' AS kind, transcript_id, version FROM transcripts WHERE public_id = $1
    UNION ALL SELECT CASE WHEN parts = '{}' THEN 'copy' ELSE 'extract' END, transcript_id, version FROM copies JOIN issued_copies USING (copy_id) WHERE public_id = $1
)
SELECT f.kind, t.school_name, t.school_year, t.level,
    coalesce((SELECT n.public_id FROM transcripts n WHERE n.transcript_id = t.transcript_id AND n.version > t.version
              ORDER BY n.version DESC LIMIT 1), '') AS newer_public_id,
    r.revoked_at, coalesce(q.decision_number, '') AS decision_number
FROM found f
JOIN transcripts t USING (transcript_id, version)
LEFT JOIN revocations r USING (transcript_id, version)
LEFT JOIN revocation_requests q USING (request_id)
UNION ALL
SELECT 'sheet', s.school_name, s.school_year, s.level, '', NULL, '' FROM sheets s WHERE s.public_id = $1

-- name: issued_version
SELECT transcript_id, version, pupil_id, public_id, content_digest, sha256, class_id, school_id, province_id, school_year
FROM transcripts WHERE transcript_id = $1 AND version = $2

-- name: revocations
-- One by its id, or those of a school or of all: asked for and not confirmed only, or every one. The newest first.
SELECT q.request_id, q.reason, q.decision_number, q.decision_date, q.decision_sha256, q.requested_account, q.requested_person, q.requested_at,
    r.confirmed_account, r.confirmed_person, r.revoked_at,
    t.transcript_id, t.version, t.pupil_id, t.public_id, t.content_digest, t.sha256, t.class_id, t.school_id, t.province_id, t.school_year
FROM revocation_requests q
JOIN transcripts t ON t.transcript_id = q.transcript_id AND t.version = q.version
LEFT JOIN revocations r ON r.request_id = q.request_id
WHERE ($1::uuid IS NULL OR q.request_id = $1) AND ($2 = '' OR q.school_id::text = $2)
    AND (NOT $3 OR NOT EXISTS (SELECT FROM revocations d WHERE d.transcript_id = q.transcript_id AND d.version = q.version))
ORDER BY q.requested_at DESC, q.request_id

-- name: is_revoked
SELECT EXISTS (SELECT FROM revocations WHERE transcript_id = $1 AND version = $2)

-- name: ask_revocation
INSERT INTO revocation_requests (request_id, transcript_id, version, school_id, province_id, reason, decision_number, decision_date, decision_sha256,
    requested_account, requested_person, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: add_revocation
INSERT INTO revocations (transcript_id, version, school_id, province_id, request_id, confirmed_account, confirmed_person, leaf_id, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: later_leaves_of
-- What was said of a transcript's version since it was admitted: another has taken its place, or it was revoked.
SELECT l.statement, l.log_index FROM leaves l WHERE l.leaf_id IN (
    SELECT n.leaf_id FROM transcripts t JOIN transcripts n ON n.transcript_id = t.transcript_id AND n.supersedes = t.version WHERE t.public_id = $1
    UNION ALL
    SELECT r.leaf_id FROM transcripts t JOIN revocations r ON r.transcript_id = t.transcript_id AND r.version = t.version WHERE t.public_id = $1)
ORDER BY l.leaf_id

-- name: placed_revocations
-- What revocations say, at the places that their leaves have in the log.
SELECT l.log_index, q.reason, q.decision_number, q.decision_date, q.decision_sha256, r.revoked_at,
    t.transcript_id, t.version, t.pupil_id, t.public_id, t.content_digest, t.sha256, t.class_id, t.school_id, t.province_id, t.school_year
FROM leaves l
JOIN revocations r USING (leaf_id)
JOIN revocation_requests q USING (request_id)
JOIN transcripts t ON t.transcript_id = r.transcript_id AND t.version = r.version
WHERE l.log_index >= $1 AND l.log_index < $2

-- name: next_copy_number
-- locks: copy_counters row, until commit
INSERT INTO copy_counters AS c (school_id, province_id, year, last) VALUES ($1, $2, $3, 1)
ON CONFLICT (school_id, year) DO UPDATE SET last = c.last + 1 RETURNING last

-- name: add_copy
INSERT INTO copies (copy_id, number, year, public_id, transcript_id, version, pupil_id, class_id, school_id, province_id, school_year, content, content_digest,
    ordered_account, ordered_at, parts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: add_issued_copy
INSERT INTO issued_copies (copy_id, school_id, province_id, sha256, pack_digest, pack_offset, size, leaf_id, admitted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: copies
-- One by its id, or those of a school and a year, by number; `original_*` are of what it is a copy of.
SELECT c.*, t.public_id AS original_public_id, t.content_digest AS original_content_digest, t.sha256 AS original_sha256,
    i.sha256, i.admitted_at AS issued_at, i.pack_offset, i.size, p.object_name, p.cipher
FROM copies c
JOIN transcripts t ON t.transcript_id = c.transcript_id AND t.version = c.version
LEFT JOIN issued_copies i USING (copy_id)
LEFT JOIN packs p ON p.digest = i.pack_digest
WHERE ($1::uuid IS NULL OR c.copy_id = $1) AND ($2 = '' OR c.school_id::text = $2) AND ($3 = 0 OR c.year = $3)
ORDER BY c.school_id, c.year, c.number LIMIT 10000
