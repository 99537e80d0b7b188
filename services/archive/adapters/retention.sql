-- name: held_schools
-- The schools where a held pupil or transcript has documents, each with the held id that leads there.
SELECT DISTINCT h.id::text AS id, d.school_id::text AS school_id FROM unnest($1::uuid[]) AS h (id) JOIN LATERAL (
    SELECT school_id FROM transcripts WHERE transcript_id = h.id OR pupil_id = h.id
    UNION ALL SELECT school_id FROM received_dossiers WHERE pupil_id = h.id
    UNION ALL SELECT school_id FROM rejected WHERE transcript_id = h.id OR pupil_id = h.id
) d ON true;

-- name: due_lines
-- How many bodies may go before $1, and how many of them the schools $2 keep. What retention told is never erased.
SELECT count(*) FILTER (WHERE school_id <> ALL ($2::uuid[])) AS due, count(*) FILTER (WHERE school_id = ANY ($2::uuid[])) AS held
FROM access_lines WHERE body IS NOT NULL AND at < $1 AND body::jsonb ->> 'action' <> $3;

-- name: erase_lines
WITH due AS (
    SELECT stream, number FROM access_lines
    WHERE body IS NOT NULL AND at < $1 AND school_id <> ALL ($2::uuid[]) AND body::jsonb ->> 'action' <> $3
    ORDER BY at, stream, number LIMIT $4 FOR UPDATE
), erased AS (
    UPDATE access_lines l SET body = NULL FROM due WHERE (l.stream, l.number) = (due.stream, due.number) RETURNING l.school_id, l.province_id
)
SELECT school_id::text AS school_id, province_id, count(*) AS lines FROM erased GROUP BY 1, 2;

-- name: settled
-- Of a transcript a later version settles an earlier one too, which can't be issued any more; versions of sheets stand side by side.
SELECT d.school_id::text AS school_id, d.province_id FROM unnest($1::uuid[], $2::integer[]) AS w (id, version) JOIN LATERAL (
    (SELECT school_id, province_id FROM transcripts WHERE transcript_id = w.id AND version >= w.version LIMIT 1)
    UNION ALL SELECT school_id, province_id FROM sheets WHERE sheet_id = w.id AND version = w.version
    UNION ALL SELECT school_id, province_id FROM issued_copies WHERE copy_id = w.id
) d ON true;
