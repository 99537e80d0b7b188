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
