-- name: last_stamps
-- Of the time stamps on which batches rest now, one for each end and algorithm. A renewal that waits for its token leaves the one before in its place.
SELECT DISTINCT ON (s.good_until, s.algorithm) s.algorithm, s.token, s.good_until
FROM (SELECT DISTINCT ON (m.batch_id) m.batch_id, m.stamp_id FROM evidence_members m JOIN evidence_stamps t USING (stamp_id)
      WHERE t.token IS NOT NULL ORDER BY m.batch_id DESC, m.chain DESC, m.position DESC) AS l
JOIN evidence_stamps s USING (stamp_id) ORDER BY s.good_until, s.algorithm

-- name: first_not_final
-- The first statement behind the newest final checkpoint; where all that have a place are below it, the first that waits for one.
SELECT coalesce((SELECT l.statement FROM log_head h JOIN leaves l ON l.log_index = h.published),
    (SELECT statement FROM leaves WHERE log_index IS NULL ORDER BY leaf_id LIMIT 1)) AS statement

-- name: owed_since
-- When the first checkpoint was signed that a witness lacks, if it lacks more than $2. Nobody is looked for behind the last 10,000 checkpoints.
SELECT w.name, (SELECT c.signed_at FROM checkpoints c WHERE c.size > seen.size ORDER BY c.size LIMIT 1) AS since
FROM (SELECT coalesce(min(size), 0) AS size FROM (SELECT size FROM checkpoints ORDER BY size DESC LIMIT 10000) AS recent) AS oldest
CROSS JOIN unnest($1::text[]) AS w (name)
CROSS JOIN LATERAL (SELECT coalesce((SELECT s.size FROM cosignatures s WHERE s.witness = w.name AND s.size >= oldest.size ORDER BY s.size DESC LIMIT 1),
    oldest.size - 1) AS size) AS seen
WHERE EXISTS (SELECT FROM checkpoints c WHERE c.size > seen.size ORDER BY c.size OFFSET $2 LIMIT 1)

-- name: parked
SELECT count(*) AS count, min(parked_at) AS since FROM hocba_parked WHERE replayed_at IS NULL

-- name: refused
-- Those that `open_rejections` lists.
SELECT count(*) AS count, min(r.rejected_at) AS since FROM rejected r
WHERE NOT EXISTS (SELECT FROM transcripts t WHERE t.transcript_id = r.transcript_id AND t.version >= r.version)
    AND NOT EXISTS (SELECT FROM sheets s WHERE r.kind = 'sheet' AND s.sheet_id = r.transcript_id AND s.version = r.version)

-- name: begun
SELECT signed_at FROM checkpoints ORDER BY size LIMIT 1

-- name: last_checks
SELECT DISTINCT ON (documents) documents, faults, ended_at FROM log_checks ORDER BY documents, check_id DESC

-- name: add_check
INSERT INTO log_checks (documents, faults, ended_at) VALUES ($1, $2, $3)
