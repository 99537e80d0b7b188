-- name: status
-- What the public may know. Nothing here tells who the pupil is. No later sheet takes an earlier one's place as a whole.
SELECT 'transcript' AS kind, t.school_name, t.school_year, t.level,
    coalesce((SELECT n.public_id FROM transcripts n WHERE n.transcript_id = t.transcript_id AND n.version > t.version
              ORDER BY n.version DESC LIMIT 1), '') AS newer_public_id,
    r.revoked_at, coalesce(q.decision_number, '') AS decision_number
FROM transcripts t
LEFT JOIN revocations r ON r.transcript_id = t.transcript_id AND r.version = t.version
LEFT JOIN revocation_requests q ON q.request_id = r.request_id
WHERE t.public_id = $1
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
