-- %(n)s pupils, 40 in a class, ten classes in a school, schools in two provinces by turns; each transcript sealed, signed, archived and reported once.
-- Run by the administrator with triggers and foreign keys off, into empty databases.

-- name: pupils
CREATE TEMPORARY TABLE p AS
SELECT md5('p' || i)::uuid AS pupil, md5('t' || i)::uuid AS transcript, md5('c' || i / 40)::uuid AS class, md5('s' || i / 400)::uuid AS school,
    (ARRAY['2025-01', '2025-79'])[1 + i / 400 %% 2] AS province, md5('m' || i / 40)::uuid AS manifest, md5('x' || i)::uuid AS intent, i AS leaf,
    sha256(convert_to(i::text, 'UTF8')) AS sha, sha256('content') AS content, now() - interval '1 day' AS at, 2025 AS year
FROM generate_series(1, %(n)s) AS i

-- name: locking
INSERT INTO locks (lock_id, class_id, school_id, province_id, school_year, grade, period, cause, account_id, state, intended_at, held_at, class_version,
    class_digest, outcomes)
SELECT class, class, school, province, year, 9, 'YEAR', 'CLOSING', 'a', 'HELD', at, at, 2, content,
    jsonb_agg(jsonb_build_object('pupil', pupil, 'version', 1, 'digest', encode(content, 'hex'), 'sealed', true, 'reasons', '[]'::jsonb, 'corrections', 0))
FROM p GROUP BY class, school, province, year, at, content

-- name: grading
WITH classes AS (
    INSERT INTO classes (class_id, school_id, province_id, version, school_year, grade, name) SELECT DISTINCT class, school, province, 1, year, 9, '9A' FROM p
)
INSERT INTO sealed_versions (transcript_id, version, pupil_id, school_year, school_id, class_id, public_id, salt, digest, content, lock_id, sealed_at)
SELECT transcript, 1, pupil, year, school, class, 'public' || leaf, 'salt', content, '', class, at FROM p

-- name: signing
WITH classes AS (
    INSERT INTO school_class (class_id, school_id, province_id, school_year, grade, level, class_version, sealed_at)
    SELECT DISTINCT class, school, province, year, 9, 'lower_secondary', 2, at FROM p
), manifests AS (
    INSERT INTO manifest (manifest_id, class_id, school_id, province_id, class_version, state, merkle_root, created_at, roles, sheets_required, deputies,
        signature_level)
    SELECT DISTINCT manifest, class, school, province, 2, 'completed', content, at, '{school_seal}'::text[], false, '{}'::text[], 'B-B' FROM p
), entries AS (
    INSERT INTO manifest_entry (manifest_id, transcript_id, version, content_digest, template_version, template_digest, body_digest)
    SELECT manifest, transcript, 1, content, 't', content, content FROM p
), intents AS (
    INSERT INTO intent (intent_id, manifest_id, order_id, transcript_id, version, role, attempt, template_digest, before_digest, to_be_signed,
        certificate_sha256, certificate_serial, signed_at, recorded_at)
    SELECT intent, manifest, manifest, transcript, 1, 'school_seal', 0, content, content, content, content, '1', at, at FROM p
), signatures AS (
    INSERT INTO signature (transcript_id, version, role, intent_id, manifest_id, result_digest, size, pack, pack_digest, certificate_serial, signed_at,
        announced_at, completes)
    SELECT transcript, 1, 'school_seal', intent, manifest, sha, 1, 'pack', content, '1', at, at, true FROM p
)
INSERT INTO transcript (transcript_id, version, pupil_id, class_id, school_id, province_id, class_version, public_id, content_digest, content, corrections,
    state, body_digest, signed_roles)
SELECT transcript, 1, pupil, class, school, province, 2, 'public' || leaf, content, '', 0, 'signed', content, 1 FROM p

-- name: archive
WITH leaves AS (
    INSERT INTO leaves (leaf_id, log_index, statement)
    SELECT leaf, leaf, convert_to(concat_ws(E'\n', 'hocba/leaf/1', 'issue', 'public' || leaf, 1, encode(sha, 'hex'), encode(content, 'hex'), '-', school,
        extract(epoch FROM at)::bigint) || E'\n', 'UTF8') FROM p
)
INSERT INTO transcripts (transcript_id, version, pupil_id, school_year, class_id, school_id, province_id, public_id, content_digest, sha256, pack_digest,
    pack_offset, size, supersedes, leaf_id, level, school_name, manifest_id, admitted_at)
SELECT transcript, 1, pupil, year, class, school, province, 'public' || leaf, content, sha, content, 1, 1, 0, leaf, 'lower_secondary', 'THCS', manifest, at FROM p

-- name: reporting
WITH schools AS (
    INSERT INTO schools (school_id, version, name, province_id, province_name) SELECT DISTINCT school, 1, 'Trường ' || school, province, province FROM p
), classes AS (
    INSERT INTO classes (class_id, version, province_id, school_id, school_year, grade, name) SELECT DISTINCT class, 1, province, school::text, year, 9, '9A' FROM p
), counters AS (
    INSERT INTO counters (school_year, scope, scope_id, measure, grade, pupils) SELECT year, 'class', class::text, 'archived', 9, count(*) FROM p GROUP BY 1, 3
)
INSERT INTO pupils (pupil_id, school_year, facts, class_id, school_id, province_id, steps)
SELECT pupil, year, jsonb_build_object('sealed', jsonb_build_array(1, class), 'archived', 1), class::text, school, province, 517 FROM p
