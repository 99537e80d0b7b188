-- name: announce
-- Put events into the outbox, in the caller's transaction.
INSERT INTO hocba_outbox (topic, key, type, event_id, payload, traceparent, created_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bytea[], $6::text[], $7::timestamptz[])

-- name: take_outbox
-- The oldest rows, deleted; they come back when the relay's transaction is not committed.
DELETE FROM hocba_outbox
WHERE id = ANY (ARRAY(SELECT id FROM hocba_outbox ORDER BY id LIMIT $1))
RETURNING id, topic, key, type, event_id, payload, traceparent, created_at

-- name: outbox_state
-- What waits, and how long the oldest has: the alert of the relay.
SELECT count(*) AS waiting, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS seconds FROM hocba_outbox

-- name: first_time
-- Which of these events this consumer has not seen; remembers all of them.
INSERT INTO hocba_inbox (consumer, event_id)
SELECT $1, unnest($2::uuid[])
ON CONFLICT DO NOTHING
RETURNING event_id

-- name: lock_request
-- Two calls with one request id wait for each other.
-- locks: advisory, until the end of the transaction
SELECT pg_advisory_xact_lock(hashtextextended('hocba request ' || $1::text, 0))

-- name: find_answer
SELECT digest, answer FROM hocba_requests WHERE request_id = $1

-- name: keep_answer
INSERT INTO hocba_requests (request_id, method, digest, answer) VALUES ($1, $2, $3, $4)

-- name: park
-- A record that cannot be handled, kept whole with its reason; a repeat changes nothing.
INSERT INTO hocba_parked (consumer, topic, partition, "offset", key, type, event_id, headers, payload, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (consumer, topic, partition, "offset") DO NOTHING

-- name: parked_keys
-- Keys whose later records must wait behind a parked one.
SELECT DISTINCT topic, key FROM hocba_parked WHERE consumer = $1 AND replayed_at IS NULL

-- name: list_parked
SELECT id, consumer, topic, partition, "offset", key, type, event_id, headers, payload, reason, parked_at
FROM hocba_parked WHERE replayed_at IS NULL ORDER BY id LIMIT $1

-- name: mark_replayed
UPDATE hocba_parked SET replayed_at = now(), outcome = $2 WHERE id = $1
