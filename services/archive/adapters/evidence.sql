-- name: evidence_state
-- How many documents wait for a batch, since when, and since when the oldest document of a batch waits for its first token.
SELECT (SELECT count(*) FROM (SELECT FROM evidence_documents WHERE batch_id IS NULL LIMIT $1) AS waiting) AS waiting,
    (SELECT min(admitted_at) FROM evidence_documents WHERE batch_id IS NULL) AS waiting_since,
    (SELECT min(b.oldest) FROM evidence_stamps s JOIN evidence_members m USING (stamp_id) JOIN evidence_batches b USING (batch_id)
     WHERE s.token IS NULL AND m.chain = 1 AND m.position = 1) AS unstamped_since

-- name: take_waiting
-- Two who cut at once take different documents.
-- locks: evidence_documents rows
SELECT sha256, admitted_at FROM evidence_documents WHERE batch_id IS NULL ORDER BY admitted_at, sha256 LIMIT $1 FOR UPDATE SKIP LOCKED

-- name: add_batch
INSERT INTO evidence_batches (documents, oldest, cut_at) VALUES ($1, $2, $3) RETURNING batch_id

-- name: place_documents
UPDATE evidence_documents d SET batch_id = $1, place = p.place - 1
FROM unnest($2::bytea[]) WITH ORDINALITY AS p (sha256, place) WHERE d.sha256 = p.sha256

-- name: add_stamp
INSERT INTO evidence_stamps (algorithm, imprint, asked_at) VALUES ($1, $2, $3) RETURNING stamp_id

-- name: add_members
INSERT INTO evidence_members (stamp_id, batch_id, chain, position, place, leaf)
SELECT $1::bigint, m.* FROM unnest($2::bigint[], $3::integer[], $4::integer[], $5::integer[], $6::bytea[]) AS m

-- name: unstamped
-- Oldest first: their documents have waited longest.
SELECT stamp_id, algorithm, imprint FROM evidence_stamps WHERE token IS NULL ORDER BY stamp_id LIMIT $1

-- name: add_token
-- The first one stays; no answer where there was one.
UPDATE evidence_stamps SET token = $2, stamped_at = $3, good_until = $4, stored_at = $5 WHERE stamp_id = $1 AND token IS NULL RETURNING imprint

-- name: document_evidence
SELECT d.sha256, d.batch_id, d.place FROM evidence_documents d WHERE d.sha256 = $1

-- name: batch_documents
SELECT sha256 FROM evidence_documents WHERE batch_id = $1 ORDER BY place

-- name: batch_stamps
-- Every time stamp of a batch that has its token, in the order of a record.
SELECT m.chain, m.position, m.stamp_id, m.place, s.algorithm, s.token, s.stamped_at, s.good_until
FROM evidence_members m JOIN evidence_stamps s USING (stamp_id)
WHERE m.batch_id = $1 AND s.token IS NOT NULL ORDER BY m.chain, m.position

-- name: stamp_leaves
SELECT leaf FROM evidence_members WHERE stamp_id = $1 ORDER BY place

-- name: renewed_leaves
SELECT leaf FROM evidence_leaves WHERE batch_id = $1 AND after_stamp = $2 AND algorithm = $3 ORDER BY place

-- name: due_stamps
-- Batches whose last time stamp we have had since before $2 and rests on an authority that ends before $1; those that wait for a token are being renewed.
SELECT l.batch_id, l.chain, l.position, s.algorithm, s.token
FROM (SELECT DISTINCT ON (batch_id) batch_id, chain, position, stamp_id FROM evidence_members ORDER BY batch_id, chain DESC, position DESC) l
JOIN evidence_stamps s USING (stamp_id)
WHERE s.good_until < $1 AND s.stored_at < $2 ORDER BY s.algorithm, l.batch_id LIMIT $3

-- name: count_due_stamps
SELECT count(*)
FROM (SELECT DISTINCT ON (batch_id) batch_id, stamp_id FROM evidence_members ORDER BY batch_id, chain DESC, position DESC) l
JOIN evidence_stamps s USING (stamp_id) WHERE s.good_until < $1 AND s.stored_at < $2

-- name: due_trees
-- Batches whose last chain is by another algorithm, after a batch, and the last time stamp that they have.
SELECT l.batch_id, l.chain, l.stamp_id, b.documents
FROM (SELECT DISTINCT ON (batch_id) batch_id, chain, position, stamp_id FROM evidence_members ORDER BY batch_id, chain DESC, position DESC) l
JOIN evidence_batches b USING (batch_id) JOIN evidence_stamps s USING (stamp_id)
WHERE s.token IS NOT NULL AND s.algorithm <> $1 ORDER BY l.batch_id LIMIT $2

-- name: count_due_documents
SELECT coalesce(sum(b.documents), 0)
FROM (SELECT DISTINCT ON (batch_id) batch_id, stamp_id FROM evidence_members ORDER BY batch_id, chain DESC, position DESC) l
JOIN evidence_batches b USING (batch_id) JOIN evidence_stamps s USING (stamp_id)
WHERE s.token IS NOT NULL AND s.algorithm <> $1

-- name: add_leaves
INSERT INTO evidence_leaves (batch_id, after_stamp, algorithm, place, leaf)
SELECT $1::bigint, $2::bigint, $3::text, l.* FROM unnest($4::integer[], $5::bytea[]) AS l ON CONFLICT DO NOTHING

-- name: places_of_documents
-- Where a batch's documents lie, to be read again; of any kind.
SELECT d.place AS leaf_place, t.sha256, t.pack_offset, t.size, t.pupil_id AS owner_id, t.province_id, p.object_name, p.cipher
FROM evidence_documents d JOIN transcripts t USING (sha256) JOIN packs p ON p.digest = t.pack_digest WHERE d.batch_id = $1 AND d.place >= $2 AND d.place < $3
UNION ALL
SELECT d.place, s.sha256, s.pack_offset, s.size, s.class_id, s.province_id, p.object_name, p.cipher
FROM evidence_documents d JOIN sheets s USING (sha256) JOIN packs p ON p.digest = s.pack_digest WHERE d.batch_id = $1 AND d.place >= $2 AND d.place < $3
UNION ALL
SELECT d.place, i.sha256, i.pack_offset, i.size, c.pupil_id, i.province_id, p.object_name, p.cipher
FROM evidence_documents d JOIN issued_copies i USING (sha256) JOIN copies c USING (copy_id) JOIN packs p ON p.digest = i.pack_digest
WHERE d.batch_id = $1 AND d.place >= $2 AND d.place < $3
ORDER BY leaf_place
