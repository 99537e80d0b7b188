-- name: alone
-- One release at a time, over all processes, until the end of the transaction.
-- locks: an advisory lock
SELECT pg_advisory_xact_lock($1)

-- name: waits
SELECT EXISTS (SELECT FROM signing_order WHERE state = 'queued')

-- name: in_flight
SELECT coalesce(sum(cost), 0) FROM signing_order WHERE state = 'released' AND in_flight AND NOT express AND released_at > $1

-- name: turns
SELECT province_id, unused, last FROM province_turn

-- name: queued
-- The first orders of each province.
SELECT p.province_id, q.order_id, q.cost FROM province_turn AS p CROSS JOIN LATERAL (
    SELECT o.order_id, o.cost FROM signing_order AS o
    WHERE o.state = 'queued' AND o.province_id = p.province_id ORDER BY o.queued_at, o.order_id LIMIT $1
) AS q

-- name: keep_turns
UPDATE province_turn AS p SET unused = coalesce(t.unused, 0), last = (p.province_id = $1)
FROM province_turn AS q LEFT JOIN unnest($2::text[], $3::integer[]) AS t (province_id, unused) USING (province_id)
WHERE q.province_id = p.province_id AND (p.unused, p.last) IS DISTINCT FROM (coalesce(t.unused, 0), p.province_id = $1)

-- name: release
-- One that is being cancelled at this moment is passed over.
-- locks: signing_order rows, none that is locked already
UPDATE signing_order SET state = 'released', in_flight = true, released_at = $2, fixed_at = coalesce(fixed_at, $2)
WHERE order_id IN (SELECT order_id FROM signing_order WHERE order_id = ANY ($1::uuid[]) AND state = 'queued' FOR UPDATE SKIP LOCKED)
RETURNING order_id

-- name: let_go
UPDATE signing_order SET in_flight = false WHERE order_id = $1 AND in_flight

-- name: put_back
UPDATE signing_order SET state = CASE WHEN $2 THEN 'released' ELSE 'queued' END, express = $2, in_flight = $2
WHERE order_id = $1 AND state = 'released' RETURNING order_id

-- name: backlog
SELECT lane, state, orders, documents FROM order_backlog
