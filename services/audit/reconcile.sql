-- Sets of transcripts' versions, as each store has them, with one row for each (pupil_id, school_year, version), where it stands and since when. `rows` and
-- `tallies` are put around them. A discrepancy within one store is a set of its own, named by itself.

-- name: rows
-- $1 province, $2 school; empty: all. $3 classes, $4 pupils; null: all.
SELECT pupil_id::text AS pupil_id, school_year::integer AS school_year, version::integer AS version, class_id::text AS class_id,
    school_id::text AS school_id, province_id, since
FROM ({set}) AS s
WHERE ($1 = '' OR province_id = $1) AND ($2 = '' OR school_id::text = $2) AND ($3::text[] IS NULL OR class_id::text = ANY ($3))
    AND ($4::text[] IS NULL OR pupil_id::text = ANY ($4))

-- name: tallies
-- Classes by number and digest: two stores that hold the same versions of a class tell the same digest.
SELECT class_id::text AS class_id, min(school_id::text) AS school_id, min(province_id) AS province_id, count(*) AS versions,
    sha256(convert_to(string_agg(pupil_id::text || ':' || school_year || ':' || version, ',' ORDER BY pupil_id, school_year, version), 'UTF8')) AS digest
FROM ({set}) AS s
WHERE ($1 = '' OR province_id = $1) AND ($2 = '' OR school_id::text = $2)
GROUP BY class_id

-- name: locking.locked
-- A lock lists everybody of its class, so that later locks name what earlier ones did.
SELECT (o.item ->> 'pupil')::uuid AS pupil_id, l.school_year, (o.item ->> 'version')::integer AS version, l.class_id, l.school_id, l.province_id,
    min(l.held_at) AS since
FROM locks l CROSS JOIN LATERAL jsonb_array_elements(l.outcomes) AS o (item)
WHERE l.state = 'HELD' AND (o.item ->> 'sealed')::boolean GROUP BY 1, 2, 3, 4, 5, 6

-- name: grading.sealed
SELECT s.pupil_id, s.school_year, s.version, s.class_id, s.school_id, coalesce(c.province_id, '') AS province_id, s.sealed_at AS since
FROM sealed_versions s LEFT JOIN classes c USING (class_id)

-- name: grading.newest
SELECT DISTINCT ON (s.pupil_id, s.school_year) s.pupil_id, s.school_year, s.version, s.class_id, s.school_id, coalesce(c.province_id, '') AS province_id,
    s.sealed_at AS since
FROM sealed_versions s LEFT JOIN classes c USING (class_id) ORDER BY s.pupil_id, s.school_year, s.version DESC

-- name: signing.taken
SELECT t.pupil_id, c.school_year, t.version, t.class_id, t.school_id, t.province_id, c.sealed_at AS since
FROM transcript t JOIN school_class c USING (class_id) WHERE t.kind = 'transcript'

-- name: signing.intended
SELECT t.pupil_id, c.school_year, t.version, t.class_id, t.school_id, t.province_id, NULL::timestamptz AS since
FROM transcript t JOIN school_class c USING (class_id)
WHERE t.kind = 'transcript' AND EXISTS (
    SELECT FROM intent i WHERE i.transcript_id = t.transcript_id AND i.version = t.version
        AND NOT EXISTS (SELECT FROM void_intent v WHERE v.intent_id = i.intent_id)
)

-- name: signing.signed
SELECT t.pupil_id, c.school_year, t.version, t.class_id, t.school_id, t.province_id, coalesce(f.finished_at, s.announced_at) AS since
FROM transcript t JOIN school_class c USING (class_id)
LEFT JOIN signature s ON s.transcript_id = t.transcript_id AND s.version = t.version AND s.completes
LEFT JOIN finished_document f ON f.transcript_id = t.transcript_id AND f.version = t.version
WHERE t.kind = 'transcript' AND t.state = 'signed'

-- name: signing.waiting
-- Versions with which persons or workers aren't done: neither signed nor overtaken by a newer one.
SELECT t.pupil_id, c.school_year, t.version, t.class_id, t.school_id, t.province_id, c.sealed_at AS since
FROM transcript t JOIN school_class c USING (class_id) WHERE t.kind = 'transcript' AND t.state IN ('sealed', 'prepared', 'halted')

-- name: signing.sealed_not_intended
-- Nobody can sign them: no list names them, nothing is ordered, nothing failed.
SELECT t.pupil_id, c.school_year, t.version, t.class_id, t.school_id, t.province_id, c.sealed_at AS since
FROM transcript t JOIN school_class c USING (class_id)
WHERE t.kind = 'transcript' AND t.state IN ('sealed', 'prepared') AND t.failure = ''
    AND NOT EXISTS (
        SELECT FROM manifest m JOIN manifest_entry e USING (manifest_id)
        WHERE m.class_id = t.class_id AND m.state IN ('ready', 'completed') AND e.transcript_id = t.transcript_id AND e.version = t.version
    )
    AND NOT EXISTS (
        SELECT FROM signing_order o JOIN order_line l USING (order_id)
        WHERE o.class_id = t.class_id AND o.state IN ('queued', 'released') AND l.transcript_id = t.transcript_id AND l.version = t.version AND l.state = 'open'
    )

-- name: signing.intended_not_signed
-- Intents that nobody works at any more, neither announced nor void, of versions that still wait for that signature.
SELECT DISTINCT t.pupil_id, c.school_year, t.version, t.class_id, t.school_id, t.province_id, i.recorded_at AS since
FROM transcript t JOIN school_class c USING (class_id) JOIN intent i ON i.transcript_id = t.transcript_id AND i.version = t.version
JOIN manifest m ON m.manifest_id = i.manifest_id
WHERE t.kind = 'transcript' AND t.state = 'prepared' AND t.failure = '' AND m.state = 'ready'
    AND NOT EXISTS (SELECT FROM void_intent v WHERE v.intent_id = i.intent_id)
    AND NOT EXISTS (
        SELECT FROM signature s WHERE s.manifest_id = i.manifest_id AND s.transcript_id = i.transcript_id AND s.version = i.version AND s.role = i.role
    )
    AND NOT EXISTS (
        SELECT FROM signing_order o JOIN order_line l USING (order_id)
        WHERE o.class_id = t.class_id AND o.state IN ('queued', 'released') AND l.transcript_id = t.transcript_id AND l.version = t.version AND l.state = 'open'
    )

-- name: signing.signed_not_intended
-- Not one signature with its intent; that each signature has one says I5.
SELECT t.pupil_id, c.school_year, t.version, t.class_id, t.school_id, t.province_id, NULL::timestamptz AS since
FROM transcript t JOIN school_class c USING (class_id)
WHERE t.kind = 'transcript' AND t.state = 'signed'
    AND NOT EXISTS (SELECT FROM signature s JOIN intent i USING (intent_id) WHERE s.transcript_id = t.transcript_id AND s.version = t.version)

-- name: archive.archived
SELECT pupil_id, school_year, version, class_id, school_id, province_id, admitted_at AS since FROM transcripts

-- name: archive.newest
SELECT DISTINCT ON (pupil_id, school_year) pupil_id, school_year, version, class_id, school_id, province_id, admitted_at AS since
FROM transcripts ORDER BY pupil_id, school_year, version DESC

-- name: archive.decided
-- Admitted, or openly refused.
SELECT pupil_id, school_year, version, class_id, school_id, province_id, min(since) AS since FROM (
    SELECT pupil_id, school_year, version, class_id, school_id, province_id, admitted_at AS since FROM transcripts
    UNION ALL SELECT pupil_id, school_year, version, class_id, school_id, province_id, rejected_at FROM rejected WHERE kind = 'transcript'
) d GROUP BY 1, 2, 3, 4, 5, 6

-- name: archive.in_log
SELECT t.pupil_id, t.school_year, t.version, t.class_id, t.school_id, t.province_id, t.admitted_at AS since
FROM transcripts t JOIN leaves l USING (leaf_id) WHERE l.log_index IS NOT NULL

-- name: archive.archived_not_in_log
-- Without a leaf, or with one that names another document (its fifth line).
SELECT t.pupil_id, t.school_year, t.version, t.class_id, t.school_id, t.province_id, t.admitted_at AS since
FROM transcripts t LEFT JOIN leaves l USING (leaf_id)
WHERE l.leaf_id IS NULL OR split_part(encode(l.statement, 'escape'), E'\n', 5) <> encode(t.sha256, 'hex')

-- name: archive.waiting_for_place
SELECT t.pupil_id, t.school_year, t.version, t.class_id, t.school_id, t.province_id, t.admitted_at AS since
FROM leaves l JOIN transcripts t USING (leaf_id) WHERE l.log_index IS NULL

-- name: archive.in_log_not_archived
-- Leaves that tell of an admission of which the index holds nothing; the public id leads to the pupil.
SELECT split_part(encode(l.statement, 'escape'), E'\n', 3) AS public_id, split_part(encode(l.statement, 'escape'), E'\n', 4)::integer AS version,
    split_part(encode(l.statement, 'escape'), E'\n', 8) AS school_id, to_timestamp(split_part(encode(l.statement, 'escape'), E'\n', 9)::bigint) AS since
FROM leaves l WHERE split_part(encode(l.statement, 'escape'), E'\n', 2) IN ('issue', 'supersede')
    AND NOT EXISTS (SELECT FROM transcripts t WHERE t.leaf_id = l.leaf_id)

-- name: grading.by_public_id
SELECT s.public_id, s.pupil_id::text AS pupil_id, s.school_year::integer AS school_year, s.class_id::text AS class_id, s.school_id::text AS school_id,
    coalesce(c.province_id, '') AS province_id
FROM sealed_versions s LEFT JOIN classes c USING (class_id) WHERE s.public_id = ANY ($1::text[])

-- name: archive.revoked
SELECT pupil_id, school_year, max(version) AS version, class_id, school_id, province_id, max(since) AS since FROM (
    SELECT t.pupil_id, t.school_year, t.version, t.class_id, t.school_id, t.province_id, r.revoked_at AS since
    FROM revocations r JOIN transcripts t USING (transcript_id, version)
) r GROUP BY 1, 2, 4, 5, 6

-- name: reporting.sealed
SELECT pupil_id, school_year, (facts -> 'sealed' ->> 0)::integer AS version, class_id, school_id, province_id, NULL::timestamptz AS since
FROM pupils WHERE facts ? 'sealed'

-- name: reporting.archived
SELECT pupil_id, school_year, (facts ->> 'archived')::integer AS version, class_id, school_id, province_id, NULL::timestamptz AS since
FROM pupils WHERE facts ? 'archived'

-- name: reporting.revoked
SELECT pupil_id, school_year, (facts ->> 'revoked')::integer AS version, class_id, school_id, province_id, NULL::timestamptz AS since
FROM pupils WHERE facts ? 'revoked'

-- name: reporting.counted_otherwise
-- Classes whose counter of archived pupils isn't their number; a whole class's, hence without a pupil. 512: Step.ARCHIVED.
SELECT ''::text AS pupil_id, d.school_year, 0 AS version, d.class_id, k.school_id, k.province_id, NULL::timestamptz AS since FROM (
    SELECT class_id, school_year FROM (SELECT class_id, school_year, count(*) AS pupils FROM pupils WHERE steps & 512 <> 0 GROUP BY 1, 2) f
    FULL JOIN (
        SELECT scope_id AS class_id, school_year, sum(pupils) AS pupils FROM counters WHERE scope = 'class' AND measure = 'archived' GROUP BY 1, 2
    ) c USING (class_id, school_year) WHERE coalesce(f.pupils, 0) <> coalesce(c.pupils, 0)
) d JOIN classes k ON k.class_id::text = d.class_id

-- name: outbox_keys
SELECT DISTINCT key FROM hocba_outbox WHERE key = ANY ($1::text[])

-- name: parked_among
SELECT DISTINCT key FROM hocba_parked WHERE replayed_at IS NULL AND key = ANY ($1::text[])
