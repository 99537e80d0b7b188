-- name: class_of_version
-- The class that sealed a version.
SELECT class_id::text FROM sealed_versions WHERE transcript_id = $1 AND version = $2

-- name: withdraw
INSERT INTO withdrawn_versions (transcript_id, version) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING version

-- name: records_in_force
-- What the class's newest seal of the year holds, without withdrawn versions.
SELECT v.content FROM (
    SELECT outcomes FROM seals WHERE class_id = $1 AND term = $2 ORDER BY class_version DESC LIMIT 1
) s CROSS JOIN LATERAL jsonb_array_elements(s.outcomes) AS o (outcome)
JOIN sealed_versions v ON v.transcript_id = (o.outcome->>'transcript_id')::uuid AND v.version = (o.outcome->'sealed'->>'version')::integer
WHERE NOT EXISTS (SELECT FROM withdrawn_versions w WHERE w.transcript_id = v.transcript_id AND w.version = v.version)

-- name: next_tally
INSERT INTO result_tallies AS t (class_id, version) VALUES ($1, 1) ON CONFLICT (class_id) DO UPDATE SET version = t.version + 1 RETURNING version

-- name: sealed_classes
SELECT class_id::text FROM classes c WHERE class_id > $3 AND ($2 = 0 OR school_year = $2)
    AND EXISTS (SELECT FROM seals s WHERE s.class_id = c.class_id AND s.term = $1)
ORDER BY c.class_id LIMIT $4
