-- name: get_class
-- A class by id.
SELECT class_id::text, school_id::text, province_id, school_year, grade, name, coalesce(homeroom_staff_id::text, '') AS homeroom_staff_id,
       class_version, term_1_sealed_at IS NOT NULL AS term_1_sealed
FROM classes WHERE class_id = $1

-- name: hold_sheet
-- A class against its seal, and one sheet against other saves. Rows that belong to them are read by later statements:
-- what this one reads elsewhere would be as old as its wait.
-- locks: classes row (share), gradebooks row
WITH held AS (
    SELECT class_id::text, school_id::text, province_id, school_year, grade, name, coalesce(homeroom_staff_id::text, '') AS homeroom_staff_id,
           class_version, term_1_sealed_at IS NOT NULL AS term_1_sealed
    FROM classes WHERE class_id = $1 FOR SHARE
), sheet AS (
    SELECT version AS sheet_version FROM gradebooks WHERE class_id = $1 AND subject = $2 AND term = $3 FOR UPDATE
)
SELECT held.*, sheet.sheet_version FROM held LEFT JOIN sheet ON true

-- name: make_sheet
-- The row of a sheet that nobody has saved yet; no row when somebody else is just making it.
-- locks: gradebooks row
INSERT INTO gradebooks (class_id, subject, term) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING version

-- name: hold_class
-- A class against saves and seals.
-- locks: classes row
SELECT class_id::text, school_id::text, province_id, school_year, grade, name, coalesce(homeroom_staff_id::text, '') AS homeroom_staff_id,
       class_version, term_1_sealed_at IS NOT NULL AS term_1_sealed
FROM classes WHERE class_id = $1 FOR UPDATE

-- name: hold_pupils
-- The pupils of a class against transfers, always in one order.
-- locks: pupil_years rows
SELECT pupil_id FROM pupil_years WHERE class_id = $1 ORDER BY pupil_id FOR UPDATE

-- name: read_sheet
-- What a sheet holds, what opens it and who may write it, in one round trip: JSON arrays of arrays.
WITH room AS (
    SELECT pupil_id, roll_number, full_name, electives, clusters, exemptions, individual_plan, sealed_version
    FROM pupil_years WHERE class_id = $1 AND left_on IS NULL
)
SELECT
    coalesce((SELECT version FROM gradebooks WHERE class_id = $1 AND subject = $2 AND term = $3), 0) AS version,
    (SELECT json_agg(json_build_array(pupil_id, roll_number, full_name, electives, clusters, exemptions, individual_plan, sealed_version)
                     ORDER BY roll_number, pupil_id) FROM room) AS pupils,
    (SELECT json_agg(json_build_array(m.pupil_id, m.col, m.value, m.source)) FROM marks m
     WHERE m.pupil_id = ANY (ARRAY(SELECT pupil_id FROM room)) AND m.school_year = $4 AND m.subject = $2 AND m.term = $3) AS cells,
    (SELECT json_agg(json_build_array(opens_at, closes_at)) FROM windows
     WHERE scope = ANY ($5::text[]) AND school_year = $4 AND term = $3 AND grade IN (0, $6) AND NOT withdrawn) AS windows,
    (SELECT json_agg(json_build_array(unlock_id, subject, term, pupil_ids, open_until)) FROM reopenings
     WHERE class_id = $1 AND closed_at IS NULL) AS reopenings,
    ARRAY(SELECT s.person_id FROM teaching t JOIN staff s USING (staff_id) WHERE t.class_id = $1 AND t.subject = $2
          UNION SELECT s.person_id FROM classes c JOIN staff s ON s.staff_id = c.homeroom_staff_id WHERE c.class_id = $1 AND $2 = 'homeroom') AS writers

-- name: add_cells
-- Cells that were never written before, and their history, in one statement. Under the sheet's lock nobody else adds
-- them, so there is no conflict to look for. Lists come as text with a separator before each item: splitting them here
-- costs the caller far less than binding hundreds of array items.
WITH given AS (
    SELECT * FROM unnest((string_to_array($1, $10))[2:]::uuid[], (string_to_array($2, $10))[2:], (string_to_array($3, $10))[2:],
                         (string_to_array($4, $10))[2:], (string_to_array($5, $10))[2:], (string_to_array($6, $10))[2:]::boolean[])
        AS g (pupil_id, col, old_value, new_value, source, after_seal)
), kept AS (
    INSERT INTO marks (pupil_id, school_year, subject, term, col, value, source, school_id)
    SELECT pupil_id, $7, $8, $9, col, new_value, source, $11 FROM given
)
INSERT INTO mark_history
    (pupil_id, school_year, subject, term, col, old_value, new_value, source, after_seal, account_id, reason, unlock_id, school_id, changed_at)
SELECT pupil_id, $7, $8, $9, col, old_value, new_value, source, after_seal, $12, $13, $14, $11, $15 FROM given

-- name: change_cells
-- Cells that get another value, and their history, in one statement.
WITH given AS (
    SELECT * FROM unnest((string_to_array($1, $10))[2:]::uuid[], (string_to_array($2, $10))[2:], (string_to_array($3, $10))[2:],
                         (string_to_array($4, $10))[2:], (string_to_array($5, $10))[2:], (string_to_array($6, $10))[2:]::boolean[])
        AS g (pupil_id, col, old_value, new_value, source, after_seal)
), kept AS (
    UPDATE marks m SET value = given.new_value, source = given.source FROM given
    WHERE m.pupil_id = given.pupil_id AND m.school_year = $7 AND m.subject = $8 AND m.term = $9 AND m.col = given.col
)
INSERT INTO mark_history
    (pupil_id, school_year, subject, term, col, old_value, new_value, source, after_seal, account_id, reason, unlock_id, school_id, changed_at)
SELECT pupil_id, $7, $8, $9, col, old_value, new_value, source, after_seal, $12, $13, $14, $11, $15 FROM given

-- name: save_fill
-- The counts of a sheet in its new version.
UPDATE gradebooks SET version = $4, expected = $5, filled = $6 WHERE class_id = $1 AND subject = $2 AND term = $3

-- name: years_of_class
-- The pupils of a class with everything a record says about them, and their last sealed version.
SELECT p.pupil_id::text, p.transcript_id::text, p.roll_number, p.full_name, p.profile, p.has_personal_number, p.individual_plan,
       p.transfer_under_way, p.electives, p.clusters, p.exemptions, p.sealed_version,
       v.public_id, v.salt, v.digest, v.content
FROM pupil_years p
LEFT JOIN sealed_versions v ON v.transcript_id = p.transcript_id AND v.version = p.sealed_version
WHERE p.class_id = $1 AND p.left_on IS NULL ORDER BY p.roll_number, p.pupil_id

-- name: cells_of_pupils
-- Every cell of the year.
SELECT pupil_id::text, subject, term, col, value FROM marks
WHERE pupil_id = ANY ($1::uuid[]) AND school_year = $2 AND value <> ''

-- name: decisions_of_pupils
-- The latest decision of each kind.
SELECT DISTINCT ON (pupil_id, kind) pupil_id::text, kind, value, council_round, number, decided_on, reason
FROM decisions WHERE pupil_id = ANY ($1::uuid[]) AND school_year = $2
ORDER BY pupil_id, kind, decision_id DESC

-- name: corrections_of_pupils
-- Places corrected after the first seal, by subject.
SELECT pupil_id::text, subject, count(DISTINCT (term, col))::integer AS places
FROM mark_history WHERE pupil_id = ANY ($1::uuid[]) AND school_year = $2 AND after_seal
GROUP BY pupil_id, subject

-- name: stages_of_pupils
-- The way through schools, as far as it is known here.
SELECT p.pupil_id::text, p.school_year, c.name AS class_name, s.name AS school, s.province,
       coalesce(p.profile->>'register_number', '') AS register_number, coalesce(p.profile->>'enrolled_on', '') AS entered_on
FROM pupil_years p JOIN classes c USING (class_id) JOIN schools s ON s.school_id = p.school_id
WHERE p.pupil_id = ANY ($1::uuid[]) AND p.school_year <= $2
ORDER BY p.pupil_id, p.school_year

-- name: get_school
-- A school by id.
SELECT school_id::text, code, name, commune, province_id, province FROM schools WHERE school_id = $1

-- name: staff_of_class
-- Names that a class's records print: its teachers by subject, its homeroom teacher, the school's principals.
SELECT t.subject, s.staff_id::text, s.person_id, s.full_name, t.responsible
FROM teaching t JOIN staff s USING (staff_id) WHERE t.class_id = $1
UNION ALL
SELECT 'homeroom', s.staff_id::text, s.person_id, s.full_name, true
FROM classes c JOIN staff s ON s.staff_id = c.homeroom_staff_id WHERE c.class_id = $1
UNION ALL
SELECT 'principal', s.staff_id::text, s.person_id, s.full_name, true
FROM classes c JOIN staff s USING (school_id) WHERE c.class_id = $1 AND 'principal' = ANY (s.roles)
ORDER BY 1, 5 DESC, 4, 2

-- name: set_choice
-- A pupil's electives, clusters and exemptions.
UPDATE pupil_years SET electives = $3, clusters = $4, exemptions = $5 WHERE pupil_id = $1 AND school_year = $2

-- name: add_decision
-- A decision about a pupil's year.
INSERT INTO decisions (pupil_id, school_year, school_id, kind, value, council_round, number, decided_on, reason, account_id, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: history_of_sheet
-- Changes of a class's cells in one sheet, oldest first.
SELECT h.pupil_id::text, h.col, h.old_value, h.new_value, h.account_id, h.reason, h.unlock_id, h.changed_at
FROM mark_history h JOIN pupil_years p USING (pupil_id, school_year)
WHERE p.class_id = $1 AND h.school_year = $2 AND h.subject = $3 AND h.term = $4 AND ($5::uuid IS NULL OR h.pupil_id = $5)
ORDER BY h.changed_at, h.pupil_id, h.col

-- name: put_window
-- A lease, unless a newer version of it is there.
INSERT INTO windows (window_id, version, scope, grade, school_year, term, opens_at, closes_at, withdrawn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (window_id) DO UPDATE SET
    version = EXCLUDED.version, scope = EXCLUDED.scope, grade = EXCLUDED.grade, school_year = EXCLUDED.school_year, term = EXCLUDED.term,
    opens_at = EXCLUDED.opens_at, closes_at = EXCLUDED.closes_at, withdrawn = EXCLUDED.withdrawn
WHERE windows.version < EXCLUDED.version

-- name: window_version
-- The version of a lease that is held.
SELECT version FROM windows WHERE window_id = $1

-- name: find_seal
-- The answer a lock got.
SELECT class_id::text, term, class_version, class_digest, outcomes FROM seals WHERE lock_id = $1

-- name: keep_seal
-- The answer to a lock.
INSERT INTO seals (lock_id, class_id, term, class_version, class_digest, outcomes, sealed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: raise_class_version
-- A class after its seal; the first time of each kind stays.
UPDATE classes SET class_version = $2,
    term_1_sealed_at = CASE WHEN $3 THEN coalesce(term_1_sealed_at, $4) ELSE term_1_sealed_at END,
    year_sealed_at = CASE WHEN $3 THEN year_sealed_at ELSE coalesce(year_sealed_at, $4) END
WHERE class_id = $1

-- name: keep_versions
-- New sealed versions.
INSERT INTO sealed_versions
    (transcript_id, version, pupil_id, school_year, school_id, class_id, public_id, salt, digest, content, lock_id, sealed_at)
SELECT g.transcript_id, g.version, g.pupil_id, $8, $9, $10, g.public_id, g.salt, g.digest, g.content, $11, $12
FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::bytea[])
    AS g (transcript_id, version, pupil_id, public_id, salt, digest, content)

-- name: class_sheets
-- Every version of a class's class-subject sheets.
SELECT sheet_id::text, version, subject, staff_id::text, public_id, root, row_count, digest, content
FROM class_sheets WHERE class_id = $1 ORDER BY subject, version

-- name: keep_sheets
-- New versions of class-subject sheets.
INSERT INTO class_sheets (sheet_id, version, subject, staff_id, public_id, root, row_count, digest, content, class_id, school_id, lock_id, sealed_at)
SELECT g.*, $10, $11, $12, $13
FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::uuid[], $5::text[], $6::bytea[], $7::integer[], $8::bytea[], $9::bytea[]) AS g

-- name: raise_sealed_versions
-- The sealed version of each pupil whose content changed.
UPDATE pupil_years p SET sealed_version = g.version
FROM unnest($1::uuid[], $2::integer[]) AS g (transcript_id, version) WHERE p.transcript_id = g.transcript_id

-- name: end_reopenings
-- Sealing ends every re-opening of the class.
UPDATE reopenings SET closed_at = $2 WHERE class_id = $1 AND closed_at IS NULL

-- name: find_reopening
-- The class version that a re-opening was granted on.
SELECT class_version FROM reopenings WHERE unlock_id = $1

-- name: add_reopening
-- A re-opening.
INSERT INTO reopenings (unlock_id, class_id, subject, term, pupil_ids, open_until, reason, class_version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: close_reopening
-- End one re-opening; a repeat keeps the first time.
UPDATE reopenings SET closed_at = coalesce(closed_at, $2) WHERE unlock_id = $1

-- name: changes_under_unlock
-- How many cells were changed under an unlock.
SELECT count(*)::integer FROM mark_history h
JOIN pupil_years p USING (pupil_id, school_year)
JOIN reopenings r ON r.class_id = p.class_id AND r.unlock_id = $1
WHERE h.unlock_id = $1::uuid::text

-- name: put_schools
-- Schools, unless newer versions are there.
INSERT INTO schools (school_id, version, code, name, commune, province_id, province)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ON CONFLICT (school_id) DO UPDATE SET version = EXCLUDED.version, code = EXCLUDED.code, name = EXCLUDED.name,
    commune = EXCLUDED.commune, province_id = EXCLUDED.province_id, province = EXCLUDED.province
WHERE schools.version < EXCLUDED.version

-- name: put_staff
-- Members of staff, unless newer versions are there.
INSERT INTO staff (staff_id, school_id, version, person_id, full_name, roles) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (staff_id) DO UPDATE SET school_id = EXCLUDED.school_id, version = EXCLUDED.version, person_id = EXCLUDED.person_id,
    full_name = EXCLUDED.full_name, roles = EXCLUDED.roles
WHERE staff.version < EXCLUDED.version

-- name: put_classes
-- Classes, unless newer versions are there.
INSERT INTO classes (class_id, school_id, province_id, version, school_year, grade, name, homeroom_staff_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::smallint[], $6::smallint[], $7::text[], $8::uuid[])
ON CONFLICT (class_id) DO UPDATE SET school_id = EXCLUDED.school_id, province_id = EXCLUDED.province_id, version = EXCLUDED.version,
    school_year = EXCLUDED.school_year, grade = EXCLUDED.grade, name = EXCLUDED.name, homeroom_staff_id = EXCLUDED.homeroom_staff_id
WHERE classes.version < EXCLUDED.version

-- name: pupils_follow_class
-- A class that a successor school took over brings its pupils.
UPDATE pupil_years p SET school_id = c.school_id FROM classes c
WHERE p.class_id = c.class_id AND c.class_id = ANY ($1::uuid[]) AND p.school_id <> c.school_id

-- name: marks_follow_class
-- And their marks of that year.
UPDATE marks m SET school_id = p.school_id FROM pupil_years p
WHERE p.class_id = ANY ($1::uuid[]) AND m.pupil_id = p.pupil_id AND m.school_year = p.school_year AND m.school_id <> p.school_id

-- name: put_teaching_list
-- Claims a newer list of assignments of a class; no row when it isn't newer.
INSERT INTO teaching_lists (class_id, version) VALUES ($1, $2)
ON CONFLICT (class_id) DO UPDATE SET version = EXCLUDED.version WHERE teaching_lists.version < EXCLUDED.version
RETURNING version

-- name: clear_teaching
-- The old list goes as a whole.
DELETE FROM teaching WHERE class_id = $1

-- name: add_teaching
-- The new list.
INSERT INTO teaching (class_id, subject, staff_id, responsible)
SELECT $1, * FROM unnest($2::text[], $3::uuid[], $4::boolean[]) ON CONFLICT DO NOTHING

-- name: class_of_pupil
-- Where a pupil is now.
SELECT class_id::text FROM pupil_years WHERE pupil_id = $1 AND school_year = $2

-- name: hold_class_row
-- A class against saves while one of its pupils leaves it.
-- locks: classes row
SELECT 1 FROM classes WHERE class_id = $1 FOR UPDATE

-- name: hold_pupil
-- A pupil's year against its seal.
-- locks: pupil_years row
SELECT class_id::text, school_id::text, version, sealed_version FROM pupil_years WHERE pupil_id = $1 AND school_year = $2 FOR UPDATE

-- name: add_pupils
-- Pupils' years begin; those that are there already come back to the caller by their absence.
INSERT INTO pupil_years
    (pupil_id, school_year, transcript_id, version, school_id, class_id, roll_number, full_name, profile, has_personal_number, individual_plan)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::uuid[], $7::integer[], $8::text[], $9::jsonb[],
                     $10::boolean[], $11::boolean[])
ON CONFLICT (pupil_id, school_year) DO NOTHING RETURNING pupil_id::text, school_year

-- name: change_pupil
-- A pupil's details and place, as enrollment has them now.
UPDATE pupil_years SET version = $3, school_id = $4, class_id = $5, roll_number = $6, full_name = $7, profile = $8, has_personal_number = $9,
    individual_plan = $10, transfer_under_way = false, left_on = NULL
WHERE pupil_id = $1 AND school_year = $2

-- name: move_pupil
-- A pupil's new place.
UPDATE pupil_years SET version = $3, school_id = $4, class_id = $5, roll_number = $6, transfer_under_way = $7, left_on = $8
WHERE pupil_id = $1 AND school_year = $2

-- name: note_transfer
-- A transfer after the seal: only its version is noted, since the sealing school finishes the year.
UPDATE pupil_years SET version = $3 WHERE pupil_id = $1 AND school_year = $2

-- name: move_marks
-- The running year's marks follow the pupil to the new school.
UPDATE marks SET school_id = $3 WHERE pupil_id = $1 AND school_year = $2 AND school_id <> $3
