-- name: grading.sealed_versions
-- Every version that was ever sealed, of transcripts and of class-subject sheets.
SELECT transcript_id::text AS id, version, class_id::text AS class_id, encode(digest, 'hex') AS digest FROM sealed_versions
UNION ALL SELECT sheet_id::text, version, class_id::text, encode(digest, 'hex') FROM class_sheets

-- name: grading.changes_after_seal
-- Marks that changed after their class was sealed for the year, with what allowed it.
SELECT unlock_id, min(changed_at) AS first_at, max(changed_at) AS last_at, count(*) AS changes
FROM mark_history WHERE after_seal GROUP BY unlock_id

-- name: locking.openings_without_reseal
-- Openings that ended and were not sealed again: a class left open behind everybody's back.
SELECT u.unlock_id::text AS unlock_id, u.state FROM unlocks u
WHERE u.state IN ('CORRECTED', 'EXPIRED', 'WITHDRAWN') AND u.until < now() - interval '1 hour'

-- name: locking.unlocks
SELECT unlock_id::text AS unlock_id, state, requester_person, approver_person, requester_account, approver_account, until, requested_at
FROM unlocks

-- name: locking.audit_lines
SELECT stream, number, body, hash FROM audit_lines ORDER BY stream, number

-- name: locking.audit_heads
SELECT stream, number, hash FROM audit_heads

-- name: signing.transcripts
SELECT transcript_id::text AS id, version, class_id::text AS class_id, state, encode(content_digest, 'hex') AS digest, failure FROM transcript

-- name: signing.sheet_needs
-- The class-subject sheets that each transcript's rows stand in.
SELECT transcript_id::text AS id, version, sheet_id::text AS sheet_id, sheet_version FROM sheet_need

-- name: signing.completions
-- The digest under which a version was signed to the end.
SELECT transcript_id::text AS id, version, encode(result_digest, 'hex') AS sha256 FROM signature WHERE completes
UNION ALL SELECT transcript_id::text, version, encode(result_digest, 'hex') FROM finished_document

-- name: signing.intents
-- Intents by what became of them. `open` ones are under way, or a worker died and will repeat them.
SELECT i.intent_id::text AS intent_id, encode(i.to_be_signed, 'hex') AS to_be_signed,
       CASE WHEN s.intent_id IS NOT NULL THEN 'announced' WHEN v.intent_id IS NOT NULL THEN 'void' ELSE 'open' END AS fate
FROM intent i LEFT JOIN signature s USING (intent_id) LEFT JOIN void_intent v USING (intent_id)

-- name: archive.transcripts
SELECT transcript_id::text AS id, version, supersedes, encode(sha256, 'hex') AS sha256, encode(content_digest, 'hex') AS digest,
       class_id::text AS class_id, school_id::text AS school_id, province_id,
       EXISTS (SELECT FROM revocations r WHERE r.transcript_id = t.transcript_id AND r.version = t.version) AS revoked
FROM transcripts t ORDER BY transcript_id, version

-- name: archive.sheets
-- Class-subject sheets: documents as well, whose versions stand side by side.
SELECT sheet_id::text AS id, version, encode(sha256, 'hex') AS sha256, encode(content_digest, 'hex') AS digest FROM sheets

-- name: archive.ordered_copies
-- Certified copies and extracts, which nobody seals: the archive orders them.
SELECT copy_id::text AS id, 1 AS version, class_id::text AS class_id, encode(content_digest, 'hex') AS digest FROM copies

-- name: archive.copies
-- Those that are issued.
SELECT copy_id::text AS id, 1 AS version, encode(i.sha256, 'hex') AS sha256, encode(c.content_digest, 'hex') AS digest
FROM issued_copies i JOIN copies c USING (copy_id)

-- name: archive.documents
-- A page of the documents of a range in the order of admission: those behind $8, and those of $9 that could not be read before.
SELECT d.leaf_id, d.kind, d.name, d.version, d.sha256, d.size, d.content_digest, p.object_name, d.pack_offset, d.owner_id, d.province_id, p.cipher
FROM (
    SELECT 'transcript' AS kind, transcript_id::text AS name, version, sha256, size, content_digest, pack_digest, pack_offset, leaf_id,
        pupil_id::text AS owner_id, province_id, school_id, class_id, admitted_at FROM transcripts
    UNION ALL SELECT 'sheet', sheet_id::text, version, sha256, size, content_digest, pack_digest, pack_offset, leaf_id,
        class_id::text, province_id, school_id, class_id, admitted_at FROM sheets
    UNION ALL SELECT CASE WHEN c.parts = '{}' THEN 'copy' ELSE 'extract' END, copy_id::text, 1, i.sha256, i.size, c.content_digest, i.pack_digest, i.pack_offset,
        i.leaf_id, c.pupil_id::text, i.province_id, i.school_id, c.class_id, i.admitted_at FROM issued_copies i JOIN copies c USING (copy_id)
) d JOIN packs p ON p.digest = d.pack_digest
WHERE ($1 = '' OR d.province_id = $1) AND ($2 = '' OR d.school_id::text = $2) AND ($3 = '' OR d.class_id::text = $3)
    AND ($4::timestamptz IS NULL OR d.admitted_at >= $4) AND ($5::timestamptz IS NULL OR d.admitted_at < $5)
    -- The first 32 bits of a digest are as good as drawn by lot, and anybody can draw the same lots again.
    AND ('x' || left(encode(sha256(d.sha256 || convert_to($7::text, 'UTF8')), 'hex'), 8))::bit(32)::bigint < $6::float8 * 4294967296
    AND (d.leaf_id > $8 OR d.leaf_id = ANY ($9::bigint[]))
ORDER BY d.leaf_id LIMIT $10

-- name: archive.documents_count
SELECT count(*) FROM (
    SELECT sha256, province_id, school_id, class_id, admitted_at FROM transcripts
    UNION ALL SELECT sha256, province_id, school_id, class_id, admitted_at FROM sheets
    UNION ALL SELECT i.sha256, i.province_id, i.school_id, c.class_id, i.admitted_at FROM issued_copies i JOIN copies c USING (copy_id)
) d
WHERE ($1 = '' OR d.province_id = $1) AND ($2 = '' OR d.school_id::text = $2) AND ($3 = '' OR d.class_id::text = $3)
    AND ($4::timestamptz IS NULL OR d.admitted_at >= $4) AND ($5::timestamptz IS NULL OR d.admitted_at < $5)
    AND ('x' || left(encode(sha256(d.sha256 || convert_to($7::text, 'UTF8')), 'hex'), 8))::bit(32)::bigint < $6::float8 * 4294967296

-- name: archive.rejected
SELECT transcript_id::text AS id, version, reason FROM rejected

-- name: archive.leaves
-- In the log's order, those without a place last, with the document that the index gives each.
SELECT l.log_index, l.statement, coalesce(t.transcript_id, s.sheet_id, c.copy_id)::text AS id,
       coalesce(t.version, s.version, CASE WHEN c.copy_id IS NOT NULL THEN 1 END) AS version, encode(coalesce(t.sha256, s.sha256, c.sha256), 'hex') AS sha256
FROM leaves l LEFT JOIN transcripts t USING (leaf_id) LEFT JOIN sheets s USING (leaf_id) LEFT JOIN issued_copies c USING (leaf_id)
ORDER BY l.log_index NULLS LAST, l.leaf_id

-- name: archive.checkpoints
SELECT size, root, note FROM checkpoints ORDER BY size

-- name: archive.log_head
SELECT sequenced, signed, published FROM log_head

-- name: parked
SELECT count(*) AS records FROM hocba_parked WHERE replayed_at IS NULL

-- name: parked_keys
SELECT DISTINCT key FROM hocba_parked WHERE replayed_at IS NULL

-- name: waiting
SELECT count(*) AS events FROM hocba_outbox

-- name: reporting.archived_by_class
SELECT scope_id AS class_id, pupils AS archived FROM counters WHERE scope = 'class' AND measure = 'archived' AND pupils <> 0

-- name: reporting.sums
-- Each wider scope against the sum of the narrower ones.
WITH sums AS (
    SELECT school_year, measure,
           coalesce(sum(pupils) FILTER (WHERE scope = 'class'), 0)::bigint AS classes,
           coalesce(sum(pupils) FILTER (WHERE scope = 'school'), 0)::bigint AS schools,
           coalesce(sum(pupils) FILTER (WHERE scope = 'province'), 0)::bigint AS provinces,
           coalesce(sum(pupils) FILTER (WHERE scope = 'nation'), 0)::bigint AS nation
    FROM counters GROUP BY school_year, measure
)
SELECT measure || ': classes against schools' AS what, classes AS parts, schools AS whole FROM sums
UNION ALL SELECT measure || ': schools against provinces', schools, provinces FROM sums
UNION ALL SELECT measure || ': provinces against the nation', provinces, nation FROM sums

-- name: archive.access_lines
SELECT stream::text AS stream, number, body, digest, hash, school_id::text AS school_id, province_id, at FROM access_lines ORDER BY access_lines.stream, number

-- name: archive.access_anchors
-- What the log was told, with the leaf that tells it.
SELECT a.stream::text AS stream, a.number, a.hash, l.statement FROM access_anchors a JOIN leaves l USING (leaf_id)

-- name: archive.provable
-- Documents below the newest final checkpoint, drawn by their digests and a seed.
SELECT l.log_index, l.statement, d.sha256, d.size, d.owner_id, d.province_id, d.pack_offset, p.object_name, p.cipher
FROM (
    SELECT leaf_id, sha256, size, pupil_id::text AS owner_id, province_id, pack_digest, pack_offset FROM transcripts
    UNION ALL SELECT leaf_id, sha256, size, class_id::text, province_id, pack_digest, pack_offset FROM sheets
) d JOIN packs p ON p.digest = d.pack_digest JOIN leaves l USING (leaf_id), log_head h
WHERE l.log_index < h.published AND convert_from(l.statement, 'UTF8') LIKE 'hocba/leaf/1%'
ORDER BY sha256(d.sha256 || convert_to($1, 'UTF8')) LIMIT $2

-- name: archive.void_versions
SELECT transcript_id::text AS id, version FROM void_versions
