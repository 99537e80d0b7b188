-- name: held
-- Every admitted version of these transcripts.
SELECT transcript_id, pupil_id, school_year, version, sha256
FROM transcripts WHERE transcript_id = ANY ($1::uuid[])

-- name: add_pack
-- A repeat after a crash finds the pack as it was.
INSERT INTO packs (digest, object_name, size, documents, cipher, stored_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (digest) DO NOTHING

-- name: add_leaves
-- They wait here for their place in the log; their numbers rise in the order that is given, and nobody waits for anybody.
INSERT INTO leaves (leaf_id, statement)
SELECT nextval('leaf_numbers'), s.statement FROM unnest($1::bytea[]) WITH ORDINALITY AS s (statement, place) ORDER BY s.place
RETURNING leaf_id

-- name: add_transcripts
INSERT INTO transcripts (
    class_id, school_id, province_id, school_year, manifest_id, pack_digest, admitted_at,
    transcript_id, version, pupil_id, public_id, content_digest, sha256, pack_offset, size, supersedes, leaf_id, level, school_name)
SELECT $1::uuid, $2::uuid, $3::text, $4::smallint, $5::uuid, $6::bytea, $7::timestamptz, v.*
FROM unnest($8::uuid[], $9::integer[], $10::uuid[], $11::text[], $12::bytea[], $13::bytea[], $14::bigint[], $15::bigint[],
    $16::integer[], $17::bigint[], $18::text[], $19::text[]) AS v

-- name: held_sheets
SELECT sheet_id, version, sha256 FROM sheets WHERE sheet_id = ANY ($1::uuid[])

-- name: sheet_roots
SELECT s.sheet_id, s.version, s.root FROM sheets s JOIN unnest($1::uuid[], $2::integer[]) AS w (id, version) ON s.sheet_id = w.id AND s.version = w.version

-- name: add_sheets
INSERT INTO sheets (
    class_id, school_id, province_id, school_year, manifest_id, pack_digest, admitted_at,
    sheet_id, version, subject, public_id, content_digest, root, row_count, sha256, pack_offset, size, leaf_id, level, school_name)
SELECT $1::uuid, $2::uuid, $3::text, $4::smallint, $5::uuid, $6::bytea, $7::timestamptz, v.*
FROM unnest($8::uuid[], $9::integer[], $10::text[], $11::text[], $12::bytea[], $13::bytea[], $14::integer[], $15::bytea[],
    $16::bigint[], $17::bigint[], $18::bigint[], $19::text[], $20::text[]) AS v

-- name: sheet
-- One version of a class-subject sheet, or the latest when the version is 0.
SELECT s.*, p.object_name, p.cipher FROM sheets s JOIN packs p ON p.digest = s.pack_digest
WHERE s.sheet_id = $1 AND ($2 = 0 OR s.version = $2) AND ($3::text[] IS NULL OR s.class_id::text = ANY ($3))
ORDER BY s.version DESC LIMIT 1

-- name: sheets
SELECT s.*, p.object_name, p.cipher FROM sheets s JOIN packs p ON p.digest = s.pack_digest
WHERE s.leaf_id > $1 AND ($2 = '' OR s.school_id::text = $2) AND ($3 = '' OR s.class_id::text = $3)
    AND ($4 = 0 OR s.school_year = $4) AND ($5::text[] IS NULL OR s.class_id::text = ANY ($5))
ORDER BY s.leaf_id LIMIT $6

-- name: add_voids
INSERT INTO void_versions (school_id, province_id, recorded_at, reason, transcript_id, version, before_version)
SELECT $1::uuid, $2::text, $3::timestamptz, 'never_issued', v.* FROM unnest($4::uuid[], $5::integer[], $6::integer[]) AS v
ON CONFLICT (transcript_id, version) DO NOTHING

-- name: add_rejected
-- Answers with the refusals that are new; a repeat of one is none.
INSERT INTO rejected (
    class_id, school_id, province_id, school_year, manifest_id, pack, rejected_at,
    transcript_id, version, sha256, pupil_id, public_id, content_digest, size, serials, reason, detail, kind, subject)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (transcript_id, version, sha256, reason) DO NOTHING
RETURNING rejected_id

-- name: refused
SELECT transcript_id, version, sha256 FROM rejected WHERE transcript_id = ANY ($1::uuid[])

-- name: open_rejections
-- Refused documents for which nothing as new or newer was admitted since, with all that was announced about them.
SELECT r.class_id, r.school_id, r.province_id, r.school_year, r.manifest_id, r.pack, r.transcript_id, r.version, r.sha256, r.pupil_id,
    r.public_id, r.content_digest, r.size, r.serials, r.reason, r.detail, r.rejected_at, r.kind, r.subject
FROM rejected r
WHERE ($1 = '' OR r.school_id::text = $1) AND ($2 = '' OR r.class_id::text = $2)
    AND ($3::text[] IS NULL OR r.class_id::text = ANY ($3))
    AND ($4 = '' OR r.reason = $4)
    AND NOT EXISTS (SELECT FROM transcripts t WHERE t.transcript_id = r.transcript_id AND t.version >= r.version)
    AND NOT EXISTS (SELECT FROM sheets s WHERE r.kind = 'sheet' AND s.sheet_id = r.transcript_id AND s.version = r.version)
ORDER BY r.rejected_id

-- name: entry
-- One version, or the latest when the version is 0, with the version that replaced it.
SELECT t.*, p.object_name, p.cipher, coalesce(n.version, 0) AS superseded_by
FROM transcripts t
JOIN packs p ON p.digest = t.pack_digest
LEFT JOIN transcripts n ON n.transcript_id = t.transcript_id AND n.supersedes = t.version
WHERE t.transcript_id = $1 AND ($2 = 0 OR t.version = $2) AND ($3::text[] IS NULL OR t.class_id::text = ANY ($3))
ORDER BY t.version DESC LIMIT 1

-- name: entries
SELECT t.*, p.object_name, p.cipher, coalesce(n.version, 0) AS superseded_by
FROM transcripts t
JOIN packs p ON p.digest = t.pack_digest
LEFT JOIN transcripts n ON n.transcript_id = t.transcript_id AND n.supersedes = t.version
WHERE t.leaf_id > $1
    AND ($2 = '' OR t.school_id::text = $2) AND ($3 = '' OR t.class_id::text = $3) AND ($4 = '' OR t.pupil_id::text = $4)
    AND ($5 = 0 OR t.school_year = $5) AND ($6::text[] IS NULL OR t.class_id::text = ANY ($6))
ORDER BY t.leaf_id LIMIT $7

-- name: leaf_of
-- The leaf of a document by its random public id.
SELECT l.statement, l.log_index FROM leaves l WHERE l.leaf_id = (
    SELECT leaf_id FROM transcripts WHERE public_id = $1 UNION ALL SELECT leaf_id FROM sheets WHERE public_id = $1
    UNION ALL SELECT leaf_id FROM copies JOIN issued_copies USING (copy_id) WHERE public_id = $1)

-- name: data_keys
SELECT owner_id, province_id, wrapping_key, wrapped FROM data_keys WHERE province_id = $1 AND owner_id = ANY ($2::uuid[])

-- name: add_data_keys
-- The first key of an owner stays: documents may be encrypted with it already.
INSERT INTO data_keys (made_at, owner_id, province_id, wrapping_key, wrapped)
SELECT $1::timestamptz, k.* FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[]) AS k
ON CONFLICT (owner_id, province_id) DO NOTHING

-- name: outdated_data_keys
SELECT owner_id, province_id, wrapping_key, wrapped FROM data_keys WHERE province_id = $1 AND wrapping_key <> $2 LIMIT $3

-- name: count_outdated_data_keys
SELECT count(*) FROM data_keys WHERE province_id = $1 AND wrapping_key <> $2

-- name: rewrap_data_keys
-- Only what still stands as it was read: two who renew at once do it once.
UPDATE data_keys d SET wrapping_key = k.wrapping_key, wrapped = k.wrapped
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::bytea[]) AS k (owner_id, province_id, old, wrapping_key, wrapped)
WHERE d.owner_id = k.owner_id AND d.province_id = k.province_id AND d.wrapped = k.old
