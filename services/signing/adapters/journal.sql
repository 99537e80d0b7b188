-- name: intend
INSERT INTO intent (intent_id, manifest_id, order_id, transcript_id, version, role, attempt, template_digest, before_digest, to_be_signed,
    certificate_sha256, certificate_serial, signed_at, recorded_at, image_digest)
SELECT i.id, $1, $2, i.transcript, i.version, $3, $4, i.template, i.before, i.tbs, $5, $6, $7, $8, $9
FROM unnest($10::uuid[], $11::uuid[], $12::integer[], $13::bytea[], $14::bytea[], $15::bytea[]) AS i (id, transcript, version, template, before, tbs)
ON CONFLICT ON CONSTRAINT one_intent_per_signature DO NOTHING

-- name: intents
SELECT * FROM intent WHERE intent_id = ANY ($1::uuid[]) AND NOT EXISTS (SELECT FROM void_intent AS v WHERE v.intent_id = intent.intent_id)

-- name: intended
SELECT intent_id, to_be_signed FROM intent WHERE intent_id = ANY ($1::uuid[])

-- name: announce_signatures
INSERT INTO signature (transcript_id, version, role, intent_id, manifest_id, result_digest, size, pack, pack_digest, certificate_serial, signed_at,
    announced_at, completes)
SELECT s.transcript, s.version, $1, s.intent, $2, s.digest, s.size, $3, $4, $5, $6, $7, $8
FROM unnest($9::uuid[], $10::integer[], $11::uuid[], $12::bytea[], $13::bigint[]) AS s (transcript, version, intent, digest, size)

-- name: advance
UPDATE transcript AS t
SET signed_roles = t.signed_roles + 1, current_digest = s.digest, current_pack = $3, failure = '', state = CASE WHEN $4 THEN 'signed' ELSE t.state END
FROM unnest($1::uuid[], $2::bytea[], $5::integer[]) AS s (id, digest, version)
WHERE t.transcript_id = s.id AND t.version = s.version

-- name: void
-- Not those that were announced: the same bytes made twice are one signature.
INSERT INTO void_intent (intent_id, reason, voided_at)
SELECT v.id, $2, $3 FROM unnest($1::uuid[]) AS v (id) WHERE NOT EXISTS (SELECT FROM signature AS s WHERE s.intent_id = v.id)
ON CONFLICT DO NOTHING

-- name: void_orphans
-- Intents of a class that can lead to no issued transcript any more.
INSERT INTO void_intent (intent_id, reason, voided_at)
SELECT i.intent_id,
    CASE WHEN m.state IN ('halted', 'rejected') THEN 'manifest is ' || m.state WHEN t.state = 'superseded' THEN 'a newer version came' ELSE 'a newer attempt was made' END,
    $2
FROM intent AS i JOIN manifest AS m ON m.manifest_id = i.manifest_id
JOIN transcript AS t ON t.transcript_id = i.transcript_id AND t.version = i.version
WHERE m.class_id = $1
  AND ((m.state IN ('halted', 'rejected')
        AND NOT EXISTS (SELECT FROM signature AS s WHERE s.manifest_id = i.manifest_id AND s.transcript_id = i.transcript_id AND s.version = i.version AND s.completes)
        AND NOT EXISTS (SELECT FROM finished_document AS f WHERE f.manifest_id = i.manifest_id AND f.transcript_id = i.transcript_id AND f.version = i.version))
    OR t.state = 'superseded'
    OR EXISTS (SELECT FROM intent AS n WHERE n.manifest_id = i.manifest_id AND n.transcript_id = i.transcript_id AND n.version = i.version
        AND n.role = i.role AND n.attempt > i.attempt))
ON CONFLICT DO NOTHING

-- name: finished
-- Signatures of transcripts under one manifest, in signing order.
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject, t.template_version, t.current_digest,
    s.role, s.certificate_serial, s.signed_at, coalesce(f.size, s.size) AS size, s.announced_at
FROM transcript AS t
JOIN unnest($2::uuid[], $3::integer[]) AS wanted (id, version) ON t.transcript_id = wanted.id AND t.version = wanted.version
JOIN signature AS s ON s.transcript_id = t.transcript_id AND s.version = t.version AND s.manifest_id = $1
JOIN manifest AS m ON m.manifest_id = s.manifest_id
LEFT JOIN finished_document AS f ON f.transcript_id = t.transcript_id AND f.version = t.version AND f.manifest_id = $1
ORDER BY t.transcript_id, array_position(m.roles, s.role)

-- name: void_reasons
SELECT intent_id, reason FROM void_intent WHERE intent_id = ANY ($1::uuid[])

-- name: spent
SELECT EXISTS (
    SELECT FROM intent AS i JOIN void_intent AS v USING (intent_id)
    JOIN unnest($4::uuid[], $5::integer[]) AS wanted (id, version) ON i.transcript_id = wanted.id AND i.version = wanted.version
    WHERE i.manifest_id = $1 AND i.role = $2 AND i.attempt = $3
)
