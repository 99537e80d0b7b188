-- name: stored_values
SELECT intent_id, value FROM signature_value WHERE intent_id = ANY ($1::uuid[])

-- name: store_values
-- The first value of an intent wins.
INSERT INTO signature_value (intent_id, request_id, value, stored_at)
SELECT v.id, $1, v.value, $2 FROM unnest($3::uuid[], $4::bytea[]) AS v (id, value)
ON CONFLICT (intent_id) DO NOTHING

-- name: void_values
INSERT INTO void_value (intent_id, value_sha256, request_id, reason, voided_at)
SELECT v.id, sha256(v.value), $1, $2, $3 FROM unnest($4::uuid[], $5::bytea[]) AS v (id, value)
WHERE NOT EXISTS (SELECT FROM signature_value AS s WHERE s.intent_id = v.id AND s.value = v.value)
ON CONFLICT DO NOTHING

-- name: asked_for
SELECT i.intent_id FROM remote_item AS i JOIN remote_request AS r USING (request_id)
WHERE i.intent_id = ANY ($1::uuid[]) AND r.state IN ('waiting', 'confirming', 'signing')

-- name: add_remote
INSERT INTO remote_request (request_id, order_id, manifest_id, class_id, school_id, province_id, role, home, key_name, certificate_sha256,
    created_at, expires_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (request_id) DO NOTHING RETURNING request_id

-- name: add_remote_items
INSERT INTO remote_item (intent_id, request_id, position)
SELECT v.id, $1, v.position - 1 FROM unnest($2::uuid[]) WITH ORDINALITY AS v (id, position)

-- name: get_remote
SELECT * FROM remote_request WHERE request_id = ANY ($1::uuid[]) ORDER BY created_at, request_id

-- name: remote_items
SELECT r.request_id, i.intent_id, i.to_be_signed, i.transcript_id, i.version
FROM remote_item AS r JOIN intent AS i USING (intent_id) WHERE r.request_id = ANY ($1::uuid[]) ORDER BY r.request_id, r.position

-- name: open_remote
-- What the holder of a certificate may sign now.
SELECT r.request_id, s.name AS school_name, c.school_year, c.grade, m.merkle_root
FROM remote_request AS r JOIN manifest AS m USING (manifest_id) JOIN school_class AS c ON c.class_id = r.class_id JOIN school AS s ON s.school_id = r.school_id
WHERE r.school_id = $1 AND r.certificate_sha256 = $2 AND r.home = $3 AND r.state IN ('waiting', 'confirming', 'signing')
  AND r.expires_at > $4 AND m.state = 'ready'
ORDER BY r.created_at, r.request_id LIMIT 200

-- name: take_due
UPDATE remote_request SET due_at = $3
WHERE request_id IN (
    SELECT request_id FROM remote_request WHERE state IN ('waiting', 'confirming', 'signing') AND due_at <= $2 AND home = ANY ($1::text[])
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
)
RETURNING request_id

-- name: of_remote
-- The certificate that a request is for (empty when it was revoked), and whether its manifest may still be signed.
SELECT r.request_id, coalesce(c.certificate, ''::bytea) AS certificate, m.state = 'ready' AS ready
FROM remote_request AS r JOIN manifest AS m USING (manifest_id)
LEFT JOIN certificate AS c ON c.sha256 = r.certificate_sha256 AND c.school_id = r.school_id AND c.role = r.role AND c.revoked_at IS NULL
WHERE r.request_id = ANY ($1::uuid[])

-- name: move_remote
UPDATE remote_request SET state = $2, reference = coalesce($3, reference), due_at = $4,
    sent_at = CASE WHEN $2 = 'signing' THEN coalesce(sent_at, $5) ELSE NULL END
WHERE request_id = $1 AND state IN ('waiting', 'confirming', 'signing') RETURNING request_id

-- name: hurry_remote
UPDATE remote_request SET due_at = least(due_at, $2) WHERE request_id = $1 AND state IN ('waiting', 'confirming', 'signing')

-- name: close_remote
UPDATE remote_request SET state = $2, reason = $3, finished_at = $4 WHERE request_id = $1 AND state IN ('waiting', 'confirming', 'signing')

-- name: open_of_order
SELECT count(*) FROM remote_request WHERE order_id = $1 AND state IN ('waiting', 'confirming', 'signing')
