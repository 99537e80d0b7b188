-- name: take_over
-- A new epoch: whoever held the one before can move nothing any more.
UPDATE log_head SET epoch = epoch + 1 RETURNING epoch

-- name: lock_head
-- The log's head, held until commit.
-- locks: log_head row
SELECT epoch, sequenced, signed, published FROM log_head FOR UPDATE

-- name: head
SELECT h.epoch, h.sequenced, h.signed, h.published, (SELECT count(*) FROM leaves WHERE log_index IS NULL) AS waiting FROM log_head h

-- name: place_leaves
-- The oldest leaves without a place get the next ones, in order. A transaction that commits late comes later; none is passed over.
UPDATE leaves l SET log_index = w.log_index
FROM (SELECT leaf_id, $1 + row_number() OVER (ORDER BY leaf_id) - 1 AS log_index
      FROM (SELECT leaf_id FROM leaves WHERE log_index IS NULL ORDER BY leaf_id LIMIT $2) AS oldest) AS w
WHERE l.leaf_id = w.leaf_id

-- name: move_sequenced
UPDATE log_head SET sequenced = sequenced + $1

-- name: statements
SELECT statement FROM leaves WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index

-- name: move_signed
-- Compare and swap: only who holds the epoch, and only from the size that it began with.
UPDATE log_head SET signed = $3 WHERE epoch = $1 AND signed = $2 RETURNING signed

-- name: add_checkpoint
INSERT INTO checkpoints (size, root, note, signed_at) VALUES ($1, $2, $3, $4)

-- name: final
-- The newest final checkpoint as everybody gets it: the log's note with the witnesses' lines behind it.
SELECT c.size, c.root, c.note || convert_to(coalesce(
    (SELECT string_agg(line, '' ORDER BY witness COLLATE "C") FROM cosignatures s WHERE s.size = c.size), ''), 'UTF8') AS note
FROM log_head h JOIN checkpoints c ON c.size = h.published

-- name: checkpoint
SELECT size, root, note FROM checkpoints WHERE size = $1

-- name: checkpoints
-- In order, a page at a time.
SELECT size, root, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT $2

-- name: add_cosignature
-- The first of a witness counts; a later one says the same at another time.
INSERT INTO cosignatures (size, witness, line, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT (size, witness) DO NOTHING

-- name: cosignatures
SELECT witness, line FROM cosignatures WHERE size = $1 ORDER BY witness

-- name: move_published
UPDATE log_head SET published = $1

-- name: placed_leaves
-- Leaves in the log's order with the document that the index gives them; one of a kind that has no document has none.
SELECT l.log_index, l.statement, coalesce(t.sha256, s.sha256, c.sha256) AS sha256
FROM leaves l LEFT JOIN transcripts t USING (leaf_id) LEFT JOIN sheets s USING (leaf_id) LEFT JOIN issued_copies c USING (leaf_id)
WHERE l.log_index >= $1 AND l.log_index < $2 ORDER BY l.log_index

-- name: kept_documents
-- Where each document lies, pack by pack.
SELECT p.object_name, p.digest, p.size AS pack_size, p.cipher, d.sha256, d.pack_offset, d.size, d.owner_id, d.province_id
FROM packs p JOIN (
    SELECT pack_digest, sha256, pack_offset, size, pupil_id AS owner_id, province_id FROM transcripts
    UNION ALL SELECT pack_digest, sha256, pack_offset, size, class_id, province_id FROM sheets
    UNION ALL SELECT i.pack_digest, i.sha256, i.pack_offset, i.size, c.pupil_id, i.province_id FROM issued_copies i JOIN copies c USING (copy_id)) AS d ON d.pack_digest = p.digest
WHERE p.object_name > $1 AND p.object_name <= (
    SELECT max(object_name) FROM (SELECT object_name FROM packs WHERE object_name > $1 ORDER BY object_name LIMIT $2) AS next)
ORDER BY p.object_name, d.pack_offset

-- name: kept_documents_count
SELECT (SELECT count(*) FROM transcripts) + (SELECT count(*) FROM sheets) + (SELECT count(*) FROM issued_copies)

-- name: kept_dossiers
-- Where each dossier that came from elsewhere lies, a page at a time. Each is in an object of its own, whose name holds the object's digest.
SELECT object_name, pack_offset, size, sha256, pupil_id AS owner_id, province_id, school_id, true AS cipher FROM received_dossiers
WHERE (school_id, pupil_id, sha256) > ($1::uuid, $2::uuid, $3::bytea) ORDER BY school_id, pupil_id, sha256 LIMIT $4

-- name: kept_dossiers_count
SELECT count(*) FROM received_dossiers

-- name: places_of
-- The leaves of documents by their SHA-256, as far as they stand in the log.
SELECT l.log_index, l.statement FROM leaves l
WHERE l.leaf_id IN (SELECT leaf_id FROM transcripts WHERE sha256 = ANY ($1::bytea[]) UNION ALL SELECT leaf_id FROM sheets WHERE sha256 = ANY ($1::bytea[]))
    AND l.log_index < $2
