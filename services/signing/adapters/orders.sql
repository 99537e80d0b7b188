-- name: add_order
-- An express order is released at once; any other one's time is fixed when it is released, unless it has one.
INSERT INTO signing_order (order_id, class_id, province_id, step, manifest_id, role, attempt, cost, express, in_flight, state, fixed_at, released_at, queued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, CASE WHEN $9 THEN 'released' ELSE 'queued' END, $10, CASE WHEN $9 THEN $11::timestamptz END, $11)
ON CONFLICT (order_id) DO NOTHING RETURNING order_id

-- name: add_province
INSERT INTO province_turn (province_id) VALUES ($1) ON CONFLICT DO NOTHING

-- name: add_lines
INSERT INTO order_line (order_id, transcript_id, version) SELECT $1, * FROM unnest($2::uuid[], $3::integer[])

-- name: get_orders
SELECT o.*, c.school_id, c.province_id FROM signing_order AS o JOIN school_class AS c USING (class_id) WHERE o.order_id = ANY ($1::uuid[])

-- name: lines
SELECT l.order_id, t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject
FROM order_line AS l JOIN transcript AS t USING (transcript_id, version)
WHERE l.order_id = ANY ($1::uuid[]) AND l.state = $2 ORDER BY t.transcript_id, t.version

-- name: finish_lines
UPDATE order_line AS l SET state = CASE WHEN r.reason = '' THEN 'done' ELSE 'failed' END, reason = r.reason
FROM unnest($2::uuid[], $3::integer[], $4::text[]) AS r (id, version, reason)
WHERE l.order_id = $1 AND l.transcript_id = r.id AND l.version = r.version AND l.state = 'open'

-- name: finish_order
UPDATE signing_order SET state = 'done', finished_at = $2
WHERE order_id = $1 AND state IN ('queued', 'released') AND NOT EXISTS (SELECT FROM order_line WHERE order_id = $1 AND state = 'open')

-- name: drop_lines
UPDATE order_line AS l SET state = 'dropped', reason = $3
FROM signing_order AS o
WHERE o.order_id = l.order_id AND o.class_id = $1 AND ($2::uuid IS NULL OR o.manifest_id = $2) AND o.state IN ('queued', 'released') AND l.state = 'open'

-- name: drop_orders
UPDATE signing_order SET state = 'cancelled', finished_at = $3 WHERE class_id = $1 AND ($2::uuid IS NULL OR manifest_id = $2) AND state IN ('queued', 'released')

-- name: waits
SELECT since, tries, due_at FROM order_wait WHERE order_id = $1

-- name: put_off
INSERT INTO order_wait (order_id, since, tries, reason, due_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (order_id) DO UPDATE SET tries = excluded.tries, reason = excluded.reason, due_at = excluded.due_at

-- name: wake
-- Who comes second finds these rows locked, then without a due time.
UPDATE order_wait SET due_at = NULL
WHERE order_id IN (SELECT order_id FROM order_wait WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING order_id

-- name: failed_orders
-- Orders with a failed line that no later order took up.
SELECT DISTINCT o.order_id FROM signing_order AS o JOIN order_line AS l USING (order_id)
WHERE o.class_id = $1 AND l.state = 'failed'
  AND NOT EXISTS (
    SELECT FROM order_line AS n JOIN signing_order AS p USING (order_id)
    WHERE n.transcript_id = l.transcript_id AND n.version = l.version AND p.step = o.step AND p.role IS NOT DISTINCT FROM o.role
      AND p.manifest_id IS NOT DISTINCT FROM o.manifest_id AND p.queued_at > o.queued_at
  )
