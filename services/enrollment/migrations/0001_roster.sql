-- Schools, classes, staff, pupils and places. Every table with people in it is closed by row-level security from the start;
-- who may see a row is decided by hocba_sees(school, province) of the chassis.

-- Which schools exist is public knowledge, so this table has no policy.
CREATE TABLE schools (
    school_id uuid PRIMARY KEY,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 20),
    name text NOT NULL,
    province_id text NOT NULL,
    commune_name text NOT NULL,
    levels text[] NOT NULL CHECK (cardinality(levels) > 0),
    public_school boolean NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    version bigint NOT NULL,
    CONSTRAINT school_ends_after_it_starts CHECK (valid_to >= valid_from)
);
CREATE UNIQUE INDEX one_open_school_per_code ON schools (code) WHERE valid_to IS NULL;
CREATE INDEX schools_by_province ON schools (province_id, code);

CREATE TABLE school_predecessors (
    school_id uuid NOT NULL REFERENCES schools,
    predecessor_id uuid NOT NULL REFERENCES schools,
    PRIMARY KEY (school_id, predecessor_id)
);

-- What a school was called and taught at each version: papers keep the name as it was when they were signed.
CREATE TABLE school_versions (
    school_id uuid NOT NULL,
    version bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    province_id text NOT NULL,
    levels text[] NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    PRIMARY KEY (school_id, version)
);

CREATE TABLE staff (
    staff_id uuid PRIMARY KEY,
    school_id uuid NOT NULL REFERENCES schools,
    province_id text NOT NULL,
    person_id text NOT NULL,
    full_name text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT one_staff_row_per_person_and_school UNIQUE (school_id, person_id)
);

CREATE TABLE appointments (
    staff_id uuid NOT NULL REFERENCES staff,
    ordinal smallint NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    role text NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    acts_for uuid REFERENCES staff,
    authority text NOT NULL,
    PRIMARY KEY (staff_id, ordinal),
    CONSTRAINT deputies_have_an_authority CHECK (acts_for IS NULL OR authority <> '')
);

CREATE TABLE classes (
    class_id uuid PRIMARY KEY,
    school_id uuid NOT NULL REFERENCES schools,
    province_id text NOT NULL,
    school_year smallint NOT NULL,
    grade smallint NOT NULL CHECK (grade BETWEEN 1 AND 12),
    name text NOT NULL,
    homeroom_staff_id uuid REFERENCES staff,
    version bigint NOT NULL,
    assignments_version bigint NOT NULL DEFAULT 0,
    last_roll_number integer NOT NULL DEFAULT 0,
    CONSTRAINT one_class_per_name_and_year UNIQUE (school_id, school_year, name)
);

CREATE TABLE assignments (
    class_id uuid NOT NULL REFERENCES classes,
    subject text NOT NULL,
    term smallint NOT NULL CHECK (term BETWEEN 0 AND 2),
    staff_id uuid NOT NULL REFERENCES staff,
    responsible boolean NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    PRIMARY KEY (class_id, subject, term, staff_id)
);
CREATE UNIQUE INDEX one_responsible_teacher ON assignments (class_id, subject, term) WHERE responsible;

CREATE TABLE pupils (
    pupil_id uuid PRIMARY KEY,
    school_id uuid NOT NULL REFERENCES schools,
    province_id text NOT NULL,
    former_schools uuid[] NOT NULL DEFAULT '{}',
    full_name text NOT NULL,
    name_key text NOT NULL,
    gender text NOT NULL CHECK (gender IN ('male', 'female', 'unknown')),
    born_on date,
    birth_place text NOT NULL,
    ethnicity text NOT NULL,
    nationality text NOT NULL,
    address text NOT NULL,
    home_town text NOT NULL,
    father_name text NOT NULL,
    mother_name text NOT NULL,
    guardian_name text NOT NULL,
    policy_category text NOT NULL,
    disability_not_assessed boolean NOT NULL,
    ministry_code text NOT NULL CHECK (length(ministry_code) <= 20),
    register_number text NOT NULL,
    enrolled_on date,
    personal_number text NOT NULL CONSTRAINT personal_number_has_twelve_digits CHECK (personal_number = '' OR personal_number ~ '^[0-9]{12}$'),
    absence text,
    -- Kept for the lifelong study record that the decree of 2026 announces; its format is not published yet.
    lifelong_code text NOT NULL DEFAULT '',
    identity_state text NOT NULL CHECK (identity_state IN ('unchecked', 'matched', 'mismatched', 'unknown')),
    identity_fields text[] NOT NULL DEFAULT '{}',
    identity_checked_at timestamptz,
    version bigint NOT NULL,
    CONSTRAINT a_missing_number_has_a_reason CHECK ((personal_number = '') = (absence IS NOT NULL))
);
CREATE UNIQUE INDEX one_pupil_per_personal_number ON pupils (personal_number) WHERE personal_number <> '';
CREATE UNIQUE INDEX one_pupil_per_ministry_code ON pupils (ministry_code) WHERE ministry_code <> '';
CREATE INDEX pupils_by_name ON pupils (school_id, name_key, born_on);

CREATE TABLE personal_numbers (
    record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pupil_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    personal_number text NOT NULL,
    recorded_at timestamptz NOT NULL,
    reason text NOT NULL,
    recorded_by text NOT NULL
);
CREATE INDEX personal_numbers_by_pupil ON personal_numbers (pupil_id);

-- The place of a pupil in a school year: the primary key is the rule that there is one.
CREATE TABLE enrolments (
    pupil_id uuid NOT NULL REFERENCES pupils,
    school_year smallint NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    class_id uuid NOT NULL REFERENCES classes,
    roll_number integer NOT NULL,
    joined_on date NOT NULL,
    left_on date,
    version bigint NOT NULL,
    PRIMARY KEY (pupil_id, school_year)
);
CREATE INDEX enrolments_by_class ON enrolments (class_id);

-- Places that ended by a transfer; the school of the place keeps seeing the row.
CREATE TABLE past_places (
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    version bigint NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    class_id uuid NOT NULL,
    roll_number integer NOT NULL,
    joined_on date NOT NULL,
    left_on date NOT NULL,
    PRIMARY KEY (pupil_id, school_year, version)
);

CREATE TABLE transfers (
    transfer_id uuid PRIMARY KEY,
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    from_school_id uuid NOT NULL,
    from_class_id uuid NOT NULL,
    from_province_id text NOT NULL,
    to_school_id uuid,
    to_class_id uuid,
    to_province_id text,
    transferred_on date NOT NULL,
    reason text NOT NULL,
    source_agreed_by text,
    source_agreed_at timestamptz,
    target_agreed_by text,
    target_agreed_at timestamptz,
    state text NOT NULL CHECK (state IN ('waiting_for_source', 'waiting_for_target', 'done', 'withdrawn'))
);
CREATE UNIQUE INDEX one_open_transfer_per_pupil ON transfers (pupil_id, school_year) WHERE state IN ('waiting_for_source', 'waiting_for_target');

CREATE TABLE identity_checks (
    check_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pupil_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    checked_at timestamptz NOT NULL,
    state text NOT NULL,
    -- Names of the fields that differ; never their values.
    fields text[] NOT NULL
);
CREATE INDEX identity_checks_by_pupil ON identity_checks (pupil_id);

CREATE TABLE import_jobs (
    job_id uuid PRIMARY KEY,
    school_id uuid,
    province_id text NOT NULL,
    school_year smallint NOT NULL,
    file_sha256 bytea NOT NULL,
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    settled_at timestamptz NOT NULL,
    last_row integer NOT NULL,
    rows_read integer NOT NULL,
    rows_taken integer NOT NULL,
    rows_unchanged integer NOT NULL,
    rows_refused integer NOT NULL,
    done boolean NOT NULL
);

-- Faults name the row and the column, never the value that stood there.
CREATE TABLE import_faults (
    job_id uuid NOT NULL REFERENCES import_jobs,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    school_id uuid,
    province_id text NOT NULL,
    "row" integer NOT NULL,
    "column" text NOT NULL,
    code text NOT NULL,
    problem text NOT NULL,
    cure text NOT NULL,
    warning boolean NOT NULL,
    PRIMARY KEY (job_id, ordinal)
);

DO $$
DECLARE
    closed text;
BEGIN
    FOREACH closed IN ARRAY ARRAY['staff', 'appointments', 'classes', 'assignments', 'personal_numbers', 'enrolments', 'past_places',
                                  'identity_checks', 'import_jobs', 'import_faults', 'pupils', 'transfers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', closed);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', closed);
    END LOOP;
    FOREACH closed IN ARRAY ARRAY['staff', 'appointments', 'classes', 'assignments', 'personal_numbers', 'enrolments', 'past_places',
                                  'identity_checks', 'import_jobs', 'import_faults', 'pupils'] LOOP
        EXECUTE format('CREATE POLICY own_school ON %I USING (hocba_sees(school_id, province_id))', closed);
    END LOOP;
    FOREACH closed IN ARRAY ARRAY['school_versions', 'personal_numbers', 'past_places', 'identity_checks', 'import_faults'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I EXECUTE FUNCTION hocba_append_only()', closed);
    END LOOP;
END
$$;

-- A school that signed earlier years of a pupil goes on reading who he is; only the present school writes.
CREATE POLICY former_school ON pupils FOR SELECT
    USING (current_setting('hocba.scope', true) = 'school'
           AND former_schools && string_to_array(current_setting('hocba.schools', true), ',')::uuid[]);

-- Both ends of a transfer see it.
CREATE POLICY either_end ON transfers
    USING (hocba_sees(from_school_id, from_province_id) OR hocba_sees(to_school_id, to_province_id));

GRANT SELECT, INSERT, UPDATE ON schools, staff, classes, pupils, enrolments, transfers, import_jobs TO hocba_enrollment;
GRANT SELECT, INSERT, DELETE ON school_predecessors, appointments, assignments TO hocba_enrollment;
GRANT UPDATE ON appointments, assignments TO hocba_enrollment;
GRANT SELECT, INSERT ON school_versions, personal_numbers, past_places, identity_checks, import_faults TO hocba_enrollment;

-- Pupils whom the rows of a roster may mean, wherever they are: codes are unique in the nation, so a school must learn that a
-- code is taken even when the pupil isn't its own. The caller decides by rule what of it reaches a person.
CREATE FUNCTION known_pupils(in_year integer, school_ids uuid[], name_keys text[], births date[], codes text[], numbers text[], ids uuid[])
RETURNS TABLE (pupil pupils, class_id uuid, enrolled_school uuid, enrolment_version bigint, roll_number integer, joined_on date, left_on date)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    scope_before text := current_setting('hocba.scope', true);
BEGIN
    PERFORM set_config('hocba.scope', 'system', true);
    RETURN QUERY
    WITH meant AS (
        SELECT p.pupil_id FROM pupils p WHERE p.ministry_code = ANY (codes) AND p.ministry_code <> ''
        UNION
        SELECT p.pupil_id FROM pupils p WHERE p.personal_number = ANY (numbers) AND p.personal_number <> ''
        UNION
        SELECT p.pupil_id FROM pupils p WHERE p.pupil_id = ANY (ids)
        UNION
        SELECT p.pupil_id
        FROM unnest(school_ids, name_keys, births) AS asked (school_id, name_key, born_on)
        JOIN pupils p ON p.school_id = asked.school_id AND p.name_key = asked.name_key AND p.born_on = asked.born_on
    )
    SELECT p, e.class_id, e.school_id, coalesce(e.version, 0), coalesce(e.roll_number, 0), e.joined_on, e.left_on
    FROM meant JOIN pupils p USING (pupil_id)
    LEFT JOIN enrolments e ON e.pupil_id = p.pupil_id AND e.school_year = in_year;
    PERFORM set_config('hocba.scope', coalesce(scope_before, ''), true);
END
$$;

-- Makes a school the present one of pupils who start a year there. A pupil who is enrolled elsewhere from that year on stays
-- where he is: moving him is a transfer, and needs the other school.
CREATE FUNCTION take_in(pupil_ids uuid[], new_school uuid[], new_province text[], from_year integer) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE
    scope_before text := current_setting('hocba.scope', true);
BEGIN
    PERFORM set_config('hocba.scope', 'system', true);
    -- The place of one who had left in this year becomes a past one, and its row free for the new school.
    INSERT INTO past_places (pupil_id, school_year, version, school_id, province_id, class_id, roll_number, joined_on, left_on)
    SELECT e.pupil_id, e.school_year, e.version, e.school_id, e.province_id, e.class_id, e.roll_number, e.joined_on, e.left_on
    FROM enrolments e WHERE e.pupil_id = ANY (pupil_ids) AND e.school_year = from_year AND e.left_on IS NOT NULL;
    UPDATE enrolments e SET school_id = asked.school_id, province_id = asked.province_id
    FROM unnest(pupil_ids, new_school, new_province) AS asked (pupil_id, school_id, province_id)
    WHERE e.pupil_id = asked.pupil_id AND e.school_year = from_year AND e.left_on IS NOT NULL;
    RETURN QUERY
    UPDATE pupils p
    SET school_id = asked.school_id, province_id = asked.province_id,
        former_schools = array_append(array_remove(p.former_schools, p.school_id), p.school_id)
    FROM unnest(pupil_ids, new_school, new_province) AS asked (pupil_id, school_id, province_id)
    WHERE p.pupil_id = asked.pupil_id AND p.school_id <> asked.school_id
      AND NOT EXISTS (SELECT FROM enrolments e WHERE e.pupil_id = p.pupil_id AND e.school_year >= from_year AND e.left_on IS NULL)
    RETURNING p.pupil_id;
    PERFORM set_config('hocba.scope', coalesce(scope_before, ''), true);
END
$$;

REVOKE ALL ON FUNCTION known_pupils, take_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION known_pupils, take_in TO hocba_enrollment;
