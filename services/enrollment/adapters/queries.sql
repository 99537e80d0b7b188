-- Every statement of the service. Schools are held first, in the order of their ids, by whoever writes a roster.

-- name: get_school
-- A school with its predecessors.
SELECT s.*, ARRAY(SELECT predecessor_id FROM school_predecessors p WHERE p.school_id = s.school_id) AS predecessors
FROM schools s WHERE s.school_id = $1

-- name: hold_schools
-- One writer per school's roster, which also orders a school's facts in the outbox.
-- locks: schools rows
SELECT s.*, ARRAY(SELECT predecessor_id FROM school_predecessors p WHERE p.school_id = s.school_id) AS predecessors
FROM schools s WHERE s.school_id = ANY ($1::uuid[]) ORDER BY s.school_id FOR NO KEY UPDATE OF s

-- name: schools_by_codes
-- The open schools that carry the codes.
SELECT s.*, ARRAY(SELECT predecessor_id FROM school_predecessors p WHERE p.school_id = s.school_id) AS predecessors
FROM schools s WHERE s.code = ANY ($1::text[]) AND s.valid_to IS NULL

-- name: list_schools
-- A page of schools by code.
SELECT s.*, ARRAY(SELECT predecessor_id FROM school_predecessors p WHERE p.school_id = s.school_id) AS predecessors
FROM schools s
WHERE ($1::text = '' OR s.province_id = $1) AND ($2::boolean OR s.valid_to IS NULL) AND s.code > $3::text
  AND ($5::text = '' OR s.code = $5)
ORDER BY s.code LIMIT $4::integer

-- name: put_school
-- A school in a new version; an older one changes nothing.
INSERT INTO schools (school_id, code, name, province_id, commune_name, levels, public_school, valid_from, valid_to, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (school_id) DO UPDATE SET
    code = excluded.code, name = excluded.name, province_id = excluded.province_id, commune_name = excluded.commune_name,
    levels = excluded.levels, public_school = excluded.public_school, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
    version = excluded.version
WHERE schools.version < excluded.version

-- name: drop_predecessors
-- Links that the school no longer names.
DELETE FROM school_predecessors WHERE school_id = $1 AND predecessor_id <> ALL ($2::uuid[])

-- name: add_predecessors
-- Links that the school names.
INSERT INTO school_predecessors (school_id, predecessor_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING

-- name: keep_school_version
-- What the school was at this version.
INSERT INTO school_versions (school_id, version, code, name, province_id, levels, valid_from, valid_to, recorded_at, recorded_by)
SELECT school_id, version, code, name, province_id, levels, valid_from, valid_to, $2, $3 FROM schools WHERE school_id = $1

-- name: hand_over_classes
-- Classes of a year and later go to another school; a name that is taken there gets the old school's code behind it.
UPDATE classes c
SET school_id = $2, province_id = $3, version = c.version + 1, homeroom_staff_id = NULL,
    name = CASE WHEN EXISTS (SELECT FROM classes t WHERE t.school_id = $2 AND t.school_year = c.school_year AND t.name = c.name)
                THEN left(c.name || '-' || $5::text, 20) ELSE c.name END
WHERE c.school_id = $1 AND c.school_year >= $4
RETURNING c.*

-- name: hand_over_assignments
-- Teachers are of the old school's staff; the successor appoints and assigns afresh.
DELETE FROM assignments WHERE class_id = ANY ($1::uuid[])

-- name: hand_over_pupils
-- Pupils of the classes that moved.
UPDATE enrolments SET school_id = $2, province_id = $3, version = version + 1 WHERE class_id = ANY ($1::uuid[]) RETURNING pupil_id, class_id

-- name: hand_over_homes
-- The successor becomes the present school of the pupils; the old one goes on reading.
UPDATE pupils SET former_schools = array_append(array_remove(former_schools, school_id), school_id), school_id = $2, province_id = $3
WHERE pupil_id = ANY ($1::uuid[]) AND school_id <> $2

-- name: move_province_rows
-- Rows follow their school to its province.
WITH a AS (UPDATE staff SET province_id = $2 WHERE school_id = $1),
     b AS (UPDATE appointments SET province_id = $2 WHERE school_id = $1),
     c AS (UPDATE assignments SET province_id = $2 WHERE school_id = $1),
     d AS (UPDATE pupils SET province_id = $2 WHERE school_id = $1),
     e AS (UPDATE enrolments SET province_id = $2 WHERE school_id = $1)
SELECT 1

-- name: move_province_classes
-- Classes follow their school; those still to be taught get a new version.
UPDATE classes SET province_id = $2, version = version + (school_year >= $3)::integer WHERE school_id = $1 RETURNING *

-- name: get_class
-- One class.
SELECT * FROM classes WHERE class_id = $1

-- name: classes_of_schools
-- All classes of schools in a year.
SELECT * FROM classes WHERE school_id = ANY ($1::uuid[]) AND school_year = $2

-- name: put_classes
-- New or changed classes.
INSERT INTO classes (class_id, school_id, province_id, school_year, grade, name, homeroom_staff_id, version)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::uuid[], $8::bigint[])
ON CONFLICT (class_id) DO UPDATE SET name = excluded.name, homeroom_staff_id = excluded.homeroom_staff_id, version = excluded.version
WHERE classes.version < excluded.version

-- name: raise_assignments_version
-- The version of a class's assignments.
UPDATE classes SET assignments_version = assignments_version + 1 WHERE class_id = $1 RETURNING assignments_version

-- name: drop_assignments
-- All assignments of a class, before the new list is written.
DELETE FROM assignments WHERE class_id = $1

-- name: add_assignments
-- The assignments of a class.
INSERT INTO assignments (class_id, school_id, province_id, subject, term, staff_id, responsible)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::smallint[], $6::uuid[], $7::boolean[])

-- name: reserve_roll_numbers
-- So many roll numbers of each class; gives the first.
UPDATE classes c SET last_roll_number = c.last_roll_number + w.wanted
FROM unnest($1::uuid[], $2::integer[]) AS w (class_id, wanted)
WHERE c.class_id = w.class_id
RETURNING c.class_id, c.last_roll_number - w.wanted + 1 AS first

-- name: staff_of_school
-- Staff of a school.
SELECT * FROM staff WHERE school_id = $1 ORDER BY full_name, staff_id

-- name: appointments_of_school
-- Appointments at a school, in the order told.
SELECT * FROM appointments WHERE school_id = $1 ORDER BY staff_id, ordinal

-- name: put_staff
-- A member of staff in a new version.
INSERT INTO staff (staff_id, school_id, province_id, person_id, full_name, version) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (staff_id) DO UPDATE SET person_id = excluded.person_id, full_name = excluded.full_name, version = excluded.version
WHERE staff.version < excluded.version

-- name: drop_appointments
-- All appointments of a member, before the new list is written.
DELETE FROM appointments WHERE staff_id = $1

-- name: add_appointments
-- The appointments of a member.
INSERT INTO appointments (staff_id, school_id, province_id, ordinal, role, valid_from, valid_to, acts_for, authority)
SELECT $1, $2, $3, * FROM unnest($4::smallint[], $5::text[], $6::date[], $7::date[], $8::uuid[], $9::text[])

-- name: known_pupils
-- Whom the rows of a roster may mean, in any school.
SELECT (k.pupil).*, k.class_id, k.enrolled_school, k.enrolment_version, k.roll_number, k.joined_on, k.left_on
FROM known_pupils($1, $2::uuid[], $3::text[], $4::date[], $5::text[], $6::text[], $7::uuid[]) k

-- name: take_in
-- Makes schools the present ones of pupils who start a year there.
SELECT take_in($1::uuid[], $2::uuid[], $3::text[], $4)

-- name: add_pupils
-- New pupils.
INSERT INTO pupils (pupil_id, school_id, province_id, full_name, name_key, gender, born_on, birth_place, ethnicity, nationality, address,
                    home_town, father_name, mother_name, guardian_name, policy_category, disability_not_assessed, ministry_code,
                    register_number, enrolled_on, personal_number, absence, identity_state, version)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::text[], $9::text[], $10::text[],
                     $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::boolean[], $18::text[], $19::text[],
                     $20::date[], $21::text[], $22::text[], $23::text[], $24::bigint[])

-- name: change_pupils
-- Pupils in a new version; one that somebody else raised meanwhile is left alone, and the count tells.
UPDATE pupils p
SET full_name = n.full_name, name_key = n.name_key, gender = n.gender, born_on = n.born_on, birth_place = n.birth_place,
    ethnicity = n.ethnicity, nationality = n.nationality, address = n.address, home_town = n.home_town, father_name = n.father_name,
    mother_name = n.mother_name, guardian_name = n.guardian_name, policy_category = n.policy_category,
    disability_not_assessed = n.disability_not_assessed, ministry_code = n.ministry_code, register_number = n.register_number,
    enrolled_on = n.enrolled_on, personal_number = n.personal_number, absence = n.absence, identity_state = n.identity_state, version = n.version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::date[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
            $11::text[], $12::text[], $13::text[], $14::text[], $15::boolean[], $16::text[], $17::text[], $18::date[], $19::text[],
            $20::text[], $21::text[], $22::bigint[])
    AS n (pupil_id, full_name, name_key, gender, born_on, birth_place, ethnicity, nationality, address, home_town, father_name, mother_name,
          guardian_name, policy_category, disability_not_assessed, ministry_code, register_number, enrolled_on, personal_number, absence,
          identity_state, version)
WHERE p.pupil_id = n.pupil_id AND p.version = n.version - 1

-- name: put_enrolments
-- New places, or places in the next version; a gap in the versions is left alone, and the count tells.
INSERT INTO enrolments (pupil_id, school_year, school_id, province_id, class_id, roll_number, joined_on, left_on, version)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::uuid[], $6::integer[], $7::date[], $8::date[], $9::bigint[])
ON CONFLICT (pupil_id, school_year) DO UPDATE SET
    school_id = excluded.school_id, province_id = excluded.province_id, class_id = excluded.class_id, roll_number = excluded.roll_number,
    joined_on = excluded.joined_on, left_on = excluded.left_on, version = excluded.version
WHERE enrolments.version = excluded.version - 1

-- name: record_numbers
-- Lines of the history of personal numbers.
INSERT INTO personal_numbers (pupil_id, school_id, province_id, personal_number, recorded_at, reason, recorded_by)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])

-- name: standing
-- A pupil with the place of one year.
SELECT p.*, e.school_year, e.school_id AS place_school, e.province_id AS place_province, e.class_id, e.roll_number, e.joined_on, e.left_on,
       e.version AS enrolment_version
FROM enrolments e JOIN pupils p USING (pupil_id) WHERE e.pupil_id = $1 AND e.school_year = $2

-- name: open_standings
-- A pupil with the places of years that aren't closed yet, the newest one in any case, oldest first.
SELECT p.*, e.school_year, e.school_id AS place_school, e.province_id AS place_province, e.class_id, e.roll_number, e.joined_on, e.left_on,
       e.version AS enrolment_version
FROM enrolments e JOIN pupils p USING (pupil_id) WHERE e.pupil_id = $1 AND e.left_on IS NULL AND e.school_year >= least($2, (SELECT max(x.school_year) FROM enrolments x WHERE x.pupil_id = $1))
ORDER BY e.school_year

-- name: standings_of_class
-- Pupils of a class by roll number.
SELECT p.*, e.school_year, e.school_id AS place_school, e.province_id AS place_province, e.class_id, e.roll_number, e.joined_on, e.left_on,
       e.version AS enrolment_version
FROM enrolments e JOIN pupils p USING (pupil_id) WHERE e.class_id = ANY ($1::uuid[]) AND e.left_on IS NULL ORDER BY e.class_id, e.roll_number

-- name: standings_of_school
-- Pupils of a school in years that aren't closed yet, the newest one in any case.
SELECT p.*, e.school_year, e.school_id AS place_school, e.province_id AS place_province, e.class_id, e.roll_number, e.joined_on, e.left_on,
       e.version AS enrolment_version
FROM enrolments e JOIN pupils p USING (pupil_id) WHERE e.school_id = $1 AND e.left_on IS NULL AND e.school_year >= least($2, (SELECT max(x.school_year) FROM enrolments x WHERE x.school_id = $1))
ORDER BY e.school_year, e.class_id, e.roll_number

-- name: get_pupil
-- One pupil.
SELECT * FROM pupils WHERE pupil_id = $1

-- name: places_of_pupil
-- All places of a pupil, past ones too, oldest first.
SELECT school_year, school_id AS place_school, province_id AS place_province, class_id, roll_number, joined_on, left_on, version AS enrolment_version
FROM enrolments WHERE pupil_id = $1
UNION ALL
SELECT school_year, school_id, province_id, class_id, roll_number, joined_on, left_on, version FROM past_places WHERE pupil_id = $1
ORDER BY school_year, enrolment_version

-- name: numbers_of_pupil
-- The history of a pupil's number, oldest first.
SELECT pupil_id, personal_number, recorded_at, reason, recorded_by FROM personal_numbers WHERE pupil_id = $1 ORDER BY record_id

-- name: leave_place
-- The place that a transfer ends.
INSERT INTO past_places (pupil_id, school_year, version, school_id, province_id, class_id, roll_number, joined_on, left_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: record_checks
-- Outcomes of identity checks, under the pupil's present school, and the latest of each on the pupil.
WITH told AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (pupil_id, state, fields)
), latest AS (
    UPDATE pupils p SET identity_fields = string_to_array(told.fields, ','), identity_checked_at = $4
    FROM told WHERE p.pupil_id = told.pupil_id RETURNING p.pupil_id, p.school_id, p.province_id
)
INSERT INTO identity_checks (pupil_id, school_id, province_id, checked_at, state, fields)
SELECT pupil_id, school_id, province_id, $4, told.state, string_to_array(told.fields, ',') FROM told JOIN latest USING (pupil_id)

-- name: open_transfer
-- The transfer of a pupil and year that waits for a side.
SELECT * FROM transfers WHERE pupil_id = $1 AND school_year = $2 AND state IN ('waiting_for_source', 'waiting_for_target') FOR UPDATE

-- name: hold_transfer
-- A transfer by its id.
-- locks: transfers row
SELECT * FROM transfers WHERE transfer_id = $1 FOR UPDATE

-- name: put_transfer
-- A transfer as it stands.
INSERT INTO transfers (transfer_id, pupil_id, school_year, from_school_id, from_class_id, from_province_id, to_school_id, to_class_id,
                       to_province_id, transferred_on, reason, source_agreed_by, source_agreed_at, target_agreed_by, target_agreed_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (transfer_id) DO UPDATE SET
    to_class_id = excluded.to_class_id, transferred_on = excluded.transferred_on,
    source_agreed_by = excluded.source_agreed_by, source_agreed_at = excluded.source_agreed_at,
    target_agreed_by = excluded.target_agreed_by, target_agreed_at = excluded.target_agreed_at, state = excluded.state

-- name: start_import
-- The job, made unless it is there.
INSERT INTO import_jobs (job_id, school_id, province_id, school_year, file_sha256, started_by, started_at, settled_at, last_row, rows_read,
                         rows_taken, rows_unchanged, rows_refused, done)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, 0, 0, 0, 0, false)
ON CONFLICT (job_id) DO NOTHING

-- name: hold_import
-- The job as it stands; two runs of one job wait for each other.
-- locks: import_jobs row
SELECT * FROM import_jobs WHERE job_id = $1 FOR UPDATE

-- name: settle_import
-- How far the job came.
UPDATE import_jobs SET last_row = $2, rows_read = $3, rows_taken = $4, rows_unchanged = $5, rows_refused = $6, done = $7, settled_at = $8
WHERE job_id = $1

-- name: add_faults
-- Faults of a chunk's rows.
INSERT INTO import_faults (job_id, school_id, province_id, "row", "column", code, problem, cure, warning)
SELECT $1, $2, $3, * FROM unnest($4::integer[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[])

-- name: faults_of_import
-- All faults of a job so far.
SELECT "row", "column", code, problem, cure, warning FROM import_faults WHERE job_id = $1 ORDER BY ordinal LIMIT 5000
