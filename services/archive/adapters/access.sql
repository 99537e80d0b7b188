-- name: begin_stream
-- A process's first line begins its stream.
INSERT INTO access_streams (stream, begun_at) VALUES ($1, $2);

-- name: add_lines
-- Lines of one stream, in one statement.
INSERT INTO access_lines (stream, number, body, digest, hash, school_id, province_id, at)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::uuid[], $7::text[], $8::timestamptz[]);

-- name: accesses
-- A page, the newest first; row-level security holds viewers to their own schools.
SELECT stream, number, body, digest, hash, school_id, province_id, at FROM access_lines
WHERE body IS NOT NULL AND ($1 = '' OR school_id::text = $1) AND ($2 = '' OR body::jsonb ->> 'document_id' = $2)
    AND ($3 = '' OR body::jsonb ->> 'account_id' = $3) AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
    AND ($6::timestamptz IS NULL OR (at, stream, number) < ($6, $7::uuid, $8::bigint))
ORDER BY at DESC, stream DESC, number DESC LIMIT $9;

-- name: one_teller
-- Held until the transaction ends. A statement of its own, so that whoever waited for it sees what the one before has told.
SELECT pg_advisory_xact_lock(1212240963);

-- name: untold
-- The last line of each stream with a line from before $1 that the log wasn't told of.
SELECT s.stream, last.number, last.hash, last.digest, told.hash AS previous
FROM access_streams s
CROSS JOIN LATERAL (SELECT number, hash, digest FROM access_lines WHERE stream = s.stream ORDER BY number DESC LIMIT 1) last
LEFT JOIN LATERAL (SELECT number, hash FROM access_anchors WHERE stream = s.stream ORDER BY number DESC LIMIT 1) told ON true
WHERE last.number > coalesce(told.number, 0)
    AND EXISTS (SELECT 1 FROM access_lines WHERE stream = s.stream AND number = coalesce(told.number, 0) + 1 AND at < $1)
ORDER BY s.stream;

-- name: add_anchors
-- What the log was told, beside the leaves that tell it.
INSERT INTO access_anchors (stream, number, hash, leaf_id, told_at)
SELECT a.stream, a.number, a.hash, a.leaf_id, $5 FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bigint[]) AS a (stream, number, hash, leaf_id);
