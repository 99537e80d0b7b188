-- name: hold_class
-- The class under its lock.
-- locks: school_class row
SELECT * FROM school_class WHERE class_id = $1 FOR UPDATE

-- name: make_class
-- First sight of a class.
INSERT INTO school_class (class_id, school_id, province_id, school_year, grade, level, class_version, sealed_at, homeroom_staff_id, homeroom_version)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN h.class_id IS NULL THEN $9::uuid ELSE h.staff_id END, coalesce(h.version, 0)
FROM (SELECT 1) AS one LEFT JOIN homeroom AS h ON h.class_id = $1
ON CONFLICT (class_id) DO NOTHING

-- name: raise_class
-- A newer seal of a class.
UPDATE school_class SET class_version = $2, sealed_at = $3, 
    -- What enrollment says of the homeroom teacher counts for more than what grading knew when it sealed.
    homeroom_staff_id = CASE WHEN homeroom_version > 0 THEN homeroom_staff_id ELSE coalesce($4, homeroom_staff_id) END
WHERE class_id = $1

-- name: schools_of_classes
-- Whose classes these are: for callers whose roles name classes only.
SELECT DISTINCT school_id FROM school_class WHERE class_id = ANY ($1::uuid[])

-- name: add_part
-- Note a part; returns a row only the first time.
INSERT INTO class_part (class_id, class_version, part) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING part

-- name: count_parts
SELECT count(*) FROM class_part WHERE class_id = $1 AND class_version = $2

-- name: add_pupils
-- New versions come in; a halted version that is sealed again unchanged comes back to life.
INSERT INTO transcript (transcript_id, version, pupil_id, class_id, school_id, province_id, class_version, public_id, content_digest, content, corrections, state, failure)
SELECT t.id, t.version, t.pupil, $1, $2, $3, $4, t.public_id, t.digest, t.content, t.corrections, 'sealed', t.failure
FROM unnest($5::uuid[], $6::integer[], $7::uuid[], $8::text[], $9::bytea[], $10::bytea[], $11::integer[], $12::text[])
    AS t (id, version, pupil, public_id, digest, content, corrections, failure)
ON CONFLICT (transcript_id, version) DO UPDATE
SET state = 'sealed', failure = excluded.failure, class_version = excluded.class_version, class_id = excluded.class_id,
    school_id = excluded.school_id, province_id = excluded.province_id
WHERE transcript.state = 'halted' AND transcript.content_digest = excluded.content_digest

-- name: add_sheets
-- Class-subject sheets come in, or come again with whoever is responsible now.
INSERT INTO transcript (transcript_id, version, kind, subject, staff_id, class_id, school_id, province_id, class_version, public_id, content_digest, content, corrections, state, failure)
SELECT s.id, s.version, 'sheet', s.subject, s.staff, $1, $2, $3, $4, s.public_id, s.digest, s.content, 0, 'sealed', s.failure
FROM unnest($5::uuid[], $6::integer[], $7::text[], $8::uuid[], $9::text[], $10::bytea[], $11::bytea[], $12::text[])
    AS s (id, version, subject, staff, public_id, digest, content, failure)
ON CONFLICT (transcript_id, version) DO UPDATE
SET staff_id = excluded.staff_id,
    state = CASE WHEN transcript.state = 'halted' THEN 'sealed' ELSE transcript.state END,
    failure = CASE WHEN transcript.state = 'halted' THEN excluded.failure ELSE transcript.failure END
WHERE transcript.content_digest = excluded.content_digest

-- name: add_needs
-- Which sheets a transcript's rows stand in.
INSERT INTO sheet_need (transcript_id, version, sheet_id, sheet_version)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::integer[]) ON CONFLICT DO NOTHING

-- name: needing
-- Unsigned transcripts whose rows stand in these sheets, by the ready manifest that a role has approved.
SELECT DISTINCT m.manifest_id, t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject
FROM unnest($1::uuid[], $2::integer[]) AS s (id, version)
JOIN sheet_need AS n ON n.sheet_id = s.id AND n.sheet_version = s.version
JOIN transcript AS t ON t.transcript_id = n.transcript_id AND t.version = n.version AND t.state = 'prepared' AND t.signed_roles = 0
JOIN manifest_entry AS e ON e.transcript_id = t.transcript_id AND e.version = t.version
JOIN manifest AS m ON m.manifest_id = e.manifest_id AND m.state = 'ready'
JOIN approval AS a ON a.manifest_id = m.manifest_id AND a.role = $3
ORDER BY m.manifest_id, t.transcript_id

-- name: supersede_older
-- Versions that a newer one overtook before they were finished.
UPDATE transcript AS old SET state = 'superseded', failure = ''
FROM unnest($1::uuid[], $2::integer[]) AS new (id, version)
WHERE old.transcript_id = new.id AND old.version < new.version AND old.state IN ('sealed', 'prepared', 'halted')

-- name: to_prepare
SELECT transcript_id, pupil_id, version, content_digest, public_id, kind, subject FROM transcript
WHERE class_id = $1 AND state = 'sealed' AND failure = '' ORDER BY transcript_id

-- name: to_prepare_again
SELECT transcript_id, pupil_id, version, content_digest, public_id, kind, subject FROM transcript
WHERE class_id = $1 AND state IN ('sealed', 'halted') AND failure <> '' ORDER BY transcript_id

-- name: contents
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject, t.content
FROM transcript AS t JOIN unnest($1::uuid[], $2::integer[]) AS wanted (id, version) ON t.transcript_id = wanted.id AND t.version = wanted.version
WHERE t.state IN ('sealed', 'halted')

-- name: prepared
-- The pages are made; whatever was signed under an older manifest counts no more.
UPDATE transcript AS t
SET state = 'prepared', failure = '', template_version = p.template_version, template_digest = p.template_digest, body_digest = p.body_digest,
    body_pack = $6, signed_roles = 0, current_digest = p.body_digest, current_pack = $6
FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::bytea[], $5::bytea[]) AS p (id, version, template_version, template_digest, body_digest)
WHERE t.transcript_id = p.id AND t.version = p.version

-- name: failed
UPDATE transcript AS t SET failure = f.reason
FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS f (id, version, reason)
WHERE t.transcript_id = f.id AND t.version = f.version

-- name: waiting
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject, t.template_version, t.template_digest, t.body_digest,
    t.signed_roles, t.current_digest, t.current_pack
FROM transcript AS t JOIN unnest($1::uuid[], $2::integer[]) AS wanted (id, version) ON t.transcript_id = wanted.id AND t.version = wanted.version
WHERE t.state = 'prepared' AND t.signed_roles = $3
  AND ($3 > 0 OR NOT EXISTS (
    SELECT FROM sheet_need AS n LEFT JOIN transcript AS s ON s.transcript_id = n.sheet_id AND s.version = n.sheet_version
    WHERE n.transcript_id = t.transcript_id AND n.version = t.version AND (s.signed_roles > 0 AND s.state IN ('prepared', 'signed')) IS NOT TRUE
  ))
ORDER BY t.transcript_id

-- name: halt_unfinished
-- With a manifest only its pupils, else the whole class.
UPDATE transcript AS t SET state = 'halted', failure = $3
WHERE t.class_id = $1 AND t.state IN ('sealed', 'prepared')
  AND ($2::uuid IS NULL OR EXISTS (SELECT FROM manifest_entry AS e WHERE e.manifest_id = $2 AND e.transcript_id = t.transcript_id AND e.version = t.version))

-- name: signed_count
-- Newest versions that are signed to the end.
SELECT count(*) FROM transcript AS t
WHERE t.class_id = $1 AND t.kind = 'transcript' AND t.state = 'signed' AND NOT EXISTS (SELECT FROM transcript AS n WHERE n.transcript_id = t.transcript_id AND n.version > t.version)

-- name: progress
-- Counts over the newest version of each transcript, and over every sheet that is in force: an unlock that halted one brings it back or not.
WITH counted AS (
    SELECT t.* FROM transcript AS t
    WHERE ($1::uuid IS NULL OR t.school_id = $1) AND ($2::uuid IS NULL OR t.class_id = $2)
      AND CASE t.kind WHEN 'sheet' THEN t.state <> 'halted' OR t.failure <> ''
          ELSE NOT EXISTS (SELECT FROM transcript AS n WHERE n.transcript_id = t.transcript_id AND n.version > t.version) END
)
SELECT c.class_id, count(*) FILTER (WHERE c.kind = 'transcript') AS transcripts,
    count(*) FILTER (WHERE c.kind = 'transcript' AND c.state IN ('prepared', 'signed')) AS prepared,
    count(*) FILTER (WHERE c.kind = 'transcript' AND c.state IN ('prepared', 'signed') AND c.signed_roles >= 1) AS first,
    count(*) FILTER (WHERE c.kind = 'transcript' AND c.state IN ('prepared', 'signed') AND c.signed_roles >= 2) AS second,
    count(*) FILTER (WHERE c.kind = 'transcript' AND c.state IN ('prepared', 'signed') AND c.signed_roles >= 3) AS third,
    count(*) FILTER (WHERE c.kind = 'sheet') AS sheets,
    count(*) FILTER (WHERE c.kind = 'sheet' AND c.state = 'signed') AS sheets_signed,
    coalesce(array_agg(c.transcript_id::text || E'\t' || c.failure ORDER BY c.transcript_id, c.version) FILTER (WHERE c.failure <> ''), '{}') AS failures
FROM counted AS c GROUP BY c.class_id ORDER BY c.class_id

-- name: add_manifest
INSERT INTO manifest (manifest_id, class_id, school_id, province_id, class_version, state, merkle_root, created_at, signature_level, kind)
VALUES ($1, $2, $3, $4, $5, 'ready', $6, $7, $8, $9)

-- name: add_entries
INSERT INTO manifest_entry (manifest_id, transcript_id, version, content_digest, template_version, template_digest, body_digest)
SELECT $1, * FROM unnest($2::uuid[], $3::integer[], $4::bytea[], $5::text[], $6::bytea[], $7::bytea[])

-- name: get_manifests
-- Manifests by id, or by school and class; newest first.
SELECT m.manifest_id, m.class_version AS manifest_class_version, m.state, m.version, m.merkle_root, m.signature_level, m.kind, c.*,
    (SELECT count(*) FROM manifest_entry AS e WHERE e.manifest_id = m.manifest_id) AS transcripts, sheet.subject, sheet.staff_id
FROM manifest AS m JOIN school_class AS c USING (class_id)
LEFT JOIN LATERAL (
    -- What enrollment says of who teaches counts for more than what grading knew when it sealed.
    SELECT t.subject, coalesce((w.responsible ->> t.subject)::uuid, t.staff_id) AS staff_id
    FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version) LEFT JOIN teaching AS w ON w.class_id = t.class_id
    WHERE e.manifest_id = m.manifest_id LIMIT 1
) AS sheet ON m.kind = 'sheet'
WHERE ($1::uuid IS NULL OR m.manifest_id = $1) AND ($2::uuid IS NULL OR m.school_id = $2) AND ($3::uuid IS NULL OR m.class_id = $3)
  AND ($4::text IS NULL OR (m.state = 'ready' AND (m.kind = 'sheet') = ($4 = 'subject_teacher') AND NOT EXISTS (SELECT FROM approval AS a WHERE a.manifest_id = m.manifest_id AND a.role = $4)))
ORDER BY m.created_at DESC, m.manifest_id LIMIT 1000

-- name: approvals
SELECT * FROM approval WHERE manifest_id = ANY ($1::uuid[]) ORDER BY approved_at

-- name: signed_by_role
-- Roles under which every entry of a manifest that is still alive has been signed.
SELECT s.manifest_id, s.role, count(*) AS signed FROM signature AS s WHERE s.manifest_id = ANY ($1::uuid[]) GROUP BY s.manifest_id, s.role

-- name: entries
SELECT e.*, t.pupil_id, t.public_id, t.corrections, t.content, t.kind, t.subject FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version)
WHERE e.manifest_id = $1 ORDER BY e.transcript_id

-- name: manifest_lines
SELECT * FROM manifest_entry WHERE manifest_id = $1 ORDER BY transcript_id

-- name: stored
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject, t.body_pack, e.body_digest
FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version)
WHERE e.manifest_id = $1 AND e.transcript_id = $2

-- name: approve
INSERT INTO approval (manifest_id, role, merkle_root, account_id, person_id, staff_id, authority, certificate_sha256, approved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: touch_manifest
UPDATE manifest SET version = version + 1 WHERE manifest_id = $1 RETURNING version

-- name: move_manifest
UPDATE manifest SET state = $2, reason = $3, version = version + 1 WHERE manifest_id = $1 AND state = 'ready' RETURNING version

-- name: unfinished
SELECT count(*) FROM manifest_entry AS e JOIN transcript AS t USING (transcript_id, version) WHERE e.manifest_id = $1 AND t.state = 'prepared'

-- name: add_order
INSERT INTO signing_order (order_id, class_id, step, manifest_id, role, attempt, state, fixed_at, released_at)
VALUES ($1, $2, $3, $4, $5, $6, 'released', $7, $8)
ON CONFLICT (order_id) DO NOTHING RETURNING order_id

-- name: add_lines
INSERT INTO order_line (order_id, transcript_id, version) SELECT $1, * FROM unnest($2::uuid[], $3::integer[])

-- name: get_order
SELECT o.*, c.school_id, c.province_id FROM signing_order AS o JOIN school_class AS c USING (class_id) WHERE o.order_id = $1

-- name: lines
SELECT t.transcript_id, t.pupil_id, t.version, t.content_digest, t.public_id, t.kind, t.subject
FROM order_line AS l JOIN transcript AS t USING (transcript_id, version)
WHERE l.order_id = $1 AND l.state = $2 ORDER BY t.transcript_id

-- name: finish_lines
UPDATE order_line AS l SET state = CASE WHEN r.reason = '' THEN 'done' ELSE 'failed' END, reason = r.reason
FROM unnest($2::uuid[], $3::integer[], $4::text[]) AS r (id, version, reason)
WHERE l.order_id = $1 AND l.transcript_id = r.id AND l.version = r.version AND l.state = 'open'

-- name: finish_order
UPDATE signing_order SET state = 'done', finished_at = $2
WHERE order_id = $1 AND state = 'released' AND NOT EXISTS (SELECT FROM order_line WHERE order_id = $1 AND state = 'open')

-- name: drop_lines
UPDATE order_line AS l SET state = 'dropped', reason = $3
FROM signing_order AS o
WHERE o.order_id = l.order_id AND o.class_id = $1 AND ($2::uuid IS NULL OR o.manifest_id = $2) AND o.state = 'released' AND l.state = 'open'

-- name: drop_orders
UPDATE signing_order SET state = 'cancelled', finished_at = $3 WHERE class_id = $1 AND ($2::uuid IS NULL OR manifest_id = $2) AND state = 'released'

-- name: waits
SELECT since, tries FROM order_wait WHERE order_id = $1

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
      AND p.manifest_id IS NOT DISTINCT FROM o.manifest_id AND p.released_at > o.released_at
  )

-- name: intend
INSERT INTO intent (intent_id, manifest_id, order_id, transcript_id, version, role, attempt, template_digest, before_digest, to_be_signed,
    certificate_sha256, certificate_serial, signed_at, recorded_at)
SELECT i.id, $1, $2, i.transcript, i.version, $3, $4, i.template, i.before, i.tbs, $5, $6, $7, $8
FROM unnest($9::uuid[], $10::uuid[], $11::integer[], $12::bytea[], $13::bytea[], $14::bytea[]) AS i (id, transcript, version, template, before, tbs)
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
LEFT JOIN finished_document AS f ON f.transcript_id = t.transcript_id AND f.version = t.version AND f.manifest_id = $1
ORDER BY t.transcript_id, array_position($4::text[], s.role)

-- name: know_school
INSERT INTO school (school_id, province_id, version, name) VALUES ($1, $2, $3, $4)
ON CONFLICT (school_id) DO UPDATE SET province_id = excluded.province_id, version = excluded.version, name = excluded.name
WHERE school.version < excluded.version

-- name: know_staff
INSERT INTO staff (staff_id, school_id, province_id, version, person_id, full_name, appointments)
SELECT $1, $2, s.province_id, $3, $4, $5, $6 FROM school AS s WHERE s.school_id = $2
ON CONFLICT (staff_id) DO UPDATE
SET school_id = excluded.school_id, province_id = excluded.province_id, version = excluded.version, person_id = excluded.person_id,
    full_name = excluded.full_name, appointments = excluded.appointments
WHERE staff.version < excluded.version

-- name: know_homeroom
-- Enrollment's word, kept whether the class is here yet or not; an old one that comes again changes nothing.
WITH known AS (
    INSERT INTO homeroom (class_id, staff_id, version) VALUES ($1, $2, $3)
    ON CONFLICT (class_id) DO UPDATE SET staff_id = excluded.staff_id, version = excluded.version WHERE homeroom.version < excluded.version
    RETURNING class_id, staff_id, version
)
UPDATE school_class AS c SET homeroom_staff_id = known.staff_id, homeroom_version = known.version
FROM known WHERE c.class_id = known.class_id

-- name: know_teaching
INSERT INTO teaching (class_id, version, responsible) VALUES ($1, $2, $3)
ON CONFLICT (class_id) DO UPDATE SET version = excluded.version, responsible = excluded.responsible WHERE teaching.version < excluded.version

-- name: province_of
SELECT province_id FROM school WHERE school_id = $1

-- name: staff_of_person
SELECT * FROM staff WHERE school_id = $1 AND person_id = $2 ORDER BY staff_id

-- name: staff
SELECT * FROM staff WHERE staff_id = $1

-- name: register
INSERT INTO certificate (sha256, school_id, province_id, role, staff_id, serial, certificate, chain, key_name, registered_by, registered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (sha256, school_id, role) DO NOTHING

-- name: holder_for
SELECT certificate, chain, key_name FROM certificate
WHERE school_id = $1 AND role = $2 AND staff_id IS NOT DISTINCT FROM $3::uuid AND revoked_at IS NULL
ORDER BY registered_at DESC LIMIT 1

-- name: holder
SELECT certificate, chain, key_name FROM certificate WHERE school_id = $1 AND role = $2 AND sha256 = $3 AND revoked_at IS NULL

-- name: revoked
UPDATE certificate SET revoked_at = $2 WHERE sha256 = $1 AND revoked_at IS NULL

-- name: signers
SELECT DISTINCT certificate, chain FROM certificate WHERE school_id = $1 AND sha256 = ANY ($2::bytea[]) ORDER BY certificate

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

-- name: find_halt
SELECT manifests_halted, already_announced FROM halt WHERE unlock_id = $1

-- name: keep_halt
INSERT INTO halt (unlock_id, class_id, manifests_halted, already_announced, halted_at) VALUES ($1, $2, $3, $4, $5)

-- name: void_reasons
SELECT intent_id, reason FROM void_intent WHERE intent_id = ANY ($1::uuid[])

-- name: spent
SELECT EXISTS (
    SELECT FROM intent AS i JOIN void_intent AS v USING (intent_id)
    JOIN unnest($4::uuid[], $5::integer[]) AS wanted (id, version) ON i.transcript_id = wanted.id AND i.version = wanted.version
    WHERE i.manifest_id = $1 AND i.role = $2 AND i.attempt = $3
)

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
