-- name: open_submission
-- The batch that has no receipt; there is one at the most, since the next is decided on only after it.
SELECT s.batch_id, s.province_id, s.first_index, s.end_index, s.size, s.checkpoint, s.made_at
FROM submissions s LEFT JOIN submission_receipts r USING (batch_id) WHERE s.province_id = $1 AND r.batch_id IS NULL ORDER BY s.batch_id LIMIT 1

-- name: submitted_until
SELECT coalesce(max(end_index), 0) FROM submissions WHERE province_id = $1

-- name: next_submission_end
-- Behind the last of the next so many versions and revocations of a province below a checkpoint; null when there is none.
SELECT max(log_index) + 1 FROM (
SELECT l.log_index
FROM leaves l
JOIN (SELECT leaf_id, transcript_id, version FROM transcripts UNION ALL SELECT leaf_id, transcript_id, version FROM revocations) AS s USING (leaf_id)
JOIN transcripts t ON t.transcript_id = s.transcript_id AND t.version = s.version
WHERE t.province_id = $1 AND substring(l.statement FOR 12) = 'hocba/leaf/1'::bytea AND l.log_index >= $2 AND l.log_index < $3 ORDER BY l.log_index LIMIT $4) AS next

-- name: add_submission
-- Of two who begin at once one has the batch; the other finds it.
INSERT INTO submissions (province_id, first_index, end_index, size, checkpoint, made_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (province_id, first_index) DO NOTHING
RETURNING batch_id, province_id, first_index, end_index, size, checkpoint, made_at

-- name: submittable
-- A province's versions and revocations in a range of the log, with the way to each document. What was admitted before there was a log says another
-- form and stays out.
SELECT t.*, l.leaf_id AS revision, l.log_index, l.statement, p.object_name, p.cipher
FROM leaves l
JOIN (SELECT leaf_id, transcript_id, version FROM transcripts UNION ALL SELECT leaf_id, transcript_id, version FROM revocations) AS s USING (leaf_id)
JOIN transcripts t ON t.transcript_id = s.transcript_id AND t.version = s.version
JOIN packs p ON p.digest = t.pack_digest
WHERE t.province_id = $1 AND substring(l.statement FOR 12) = 'hocba/leaf/1'::bytea AND l.log_index >= $2 AND l.log_index < $3 ORDER BY l.log_index

-- name: count_submittable
SELECT count(*)
FROM leaves l
JOIN (SELECT leaf_id, transcript_id, version FROM transcripts UNION ALL SELECT leaf_id, transcript_id, version FROM revocations) AS s USING (leaf_id)
JOIN transcripts t ON t.transcript_id = s.transcript_id AND t.version = s.version
WHERE t.province_id = $1 AND substring(l.statement FOR 12) = 'hocba/leaf/1'::bytea AND l.log_index >= $2 AND l.log_index < $3

-- name: add_receipt
INSERT INTO submission_receipts (batch_id, manifest_sha256, receipt, results, applied, ignored, rejected, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (batch_id) DO NOTHING RETURNING batch_id

-- name: receipts
SELECT s.batch_id, r.manifest_sha256, r.receipt, r.results, r.applied, r.ignored, r.rejected, r.received_at
FROM submission_receipts r JOIN submissions s USING (batch_id) WHERE s.province_id = $1 ORDER BY s.batch_id
