-- name: tokens
SELECT transcript_id, imprint, token FROM time_stamp WHERE order_id = $1 AND place = $2

-- name: keep_tokens
INSERT INTO time_stamp (order_id, place, stored_at, transcript_id, version, imprint, token, stamped_at)
SELECT $1, $2, $3, * FROM unnest($4::uuid[], $5::integer[], $6::bytea[], $7::bytea[], $8::timestamptz[])
ON CONFLICT DO NOTHING

-- name: validation_data
SELECT not_before, certificates, ocsps, crls FROM validation_data WHERE order_id = $1

-- name: keep_validation_data
INSERT INTO validation_data (order_id, not_before, certificates, ocsps, crls, stored_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING

-- name: finish
INSERT INTO finished_document (manifest_id, pack, pack_digest, finished_at, transcript_id, version, result_digest, size)
SELECT $1, $2, $3, $4, * FROM unnest($5::uuid[], $6::integer[], $7::bytea[], $8::bigint[])

-- name: complete
UPDATE transcript AS t SET state = 'signed', current_digest = s.digest, current_pack = $3, failure = ''
FROM unnest($1::uuid[], $2::bytea[], $4::integer[]) AS s (id, digest, version)
WHERE t.transcript_id = s.id AND t.version = s.version
