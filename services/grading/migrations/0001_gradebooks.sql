-- Grading's tables: its own copy of the roster, gradebooks and marks, windows and seals.
-- Marks and their history are partitioned by school year; every key begins within one school year, so that a nation
-- can spread them by school later.

-- Roster: what enrollment says, each row with the version that guards it against repeats.

CREATE TABLE schools (
    school_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    commune text NOT NULL,
    province_id text NOT NULL,
    province text NOT NULL
);

CREATE TABLE staff (
    staff_id uuid PRIMARY KEY,
    school_id uuid NOT NULL,
    version bigint NOT NULL,
    person_id text NOT NULL,
    full_name text NOT NULL,
    roles text[] NOT NULL
);
CREATE INDEX staff_of_a_school ON staff (school_id);

CREATE TABLE classes (
    class_id uuid PRIMARY KEY,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    version bigint NOT NULL,
    school_year smallint NOT NULL,
    grade smallint NOT NULL,
    name text NOT NULL,
    homeroom_staff_id uuid,
    class_version bigint NOT NULL DEFAULT 0,
    term_1_sealed_at timestamptz,
    year_sealed_at timestamptz
);

-- No foreign key to classes: an assignment may arrive before the class it names.
CREATE TABLE teaching_lists (
    class_id uuid PRIMARY KEY,
    version bigint NOT NULL
);

CREATE TABLE teaching (
    class_id uuid NOT NULL,
    subject text NOT NULL,
    staff_id uuid NOT NULL,
    responsible boolean NOT NULL,
    PRIMARY KEY (class_id, subject, staff_id)
);

CREATE TABLE pupil_years (
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    transcript_id uuid NOT NULL UNIQUE,
    version bigint NOT NULL,
    school_id uuid NOT NULL,
    class_id uuid NOT NULL,
    roll_number integer NOT NULL,
    full_name text NOT NULL,
    profile jsonb NOT NULL,
    has_personal_number boolean NOT NULL,
    individual_plan boolean NOT NULL DEFAULT false,
    transfer_under_way boolean NOT NULL DEFAULT false,
    left_on date,
    electives text[] NOT NULL DEFAULT '{}',
    clusters text[] NOT NULL DEFAULT '{}',
    exemptions jsonb NOT NULL DEFAULT '[]',
    sealed_version integer NOT NULL DEFAULT 0,
    CONSTRAINT one_pupil_one_school_year PRIMARY KEY (pupil_id, school_year)
);
CREATE INDEX pupils_of_a_class ON pupil_years (class_id);

-- Gradebooks and marks.

CREATE TABLE gradebooks (
    class_id uuid NOT NULL,
    subject text NOT NULL,
    term smallint NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    expected integer NOT NULL DEFAULT 0,
    filled integer NOT NULL DEFAULT 0,
    PRIMARY KEY (class_id, subject, term)
);

CREATE TABLE marks (
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    subject text NOT NULL,
    term smallint NOT NULL,
    col text NOT NULL,
    value text NOT NULL,
    source text NOT NULL,
    school_id uuid NOT NULL,
    CONSTRAINT one_row_per_cell PRIMARY KEY (pupil_id, school_year, subject, term, col)
) PARTITION BY RANGE (school_year);

CREATE TABLE mark_history (
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    subject text NOT NULL,
    term smallint NOT NULL,
    col text NOT NULL,
    old_value text NOT NULL,
    new_value text NOT NULL,
    source text NOT NULL,
    after_seal boolean NOT NULL,
    account_id text NOT NULL,
    reason text NOT NULL,
    unlock_id text NOT NULL,
    school_id uuid NOT NULL,
    changed_at timestamptz NOT NULL
) PARTITION BY RANGE (school_year);
CREATE INDEX history_of_a_pupil ON mark_history (pupil_id, school_year);

DO $$
BEGIN
    CREATE TABLE marks_until_2024 PARTITION OF marks FOR VALUES FROM (MINVALUE) TO (2025);
    CREATE TABLE mark_history_until_2024 PARTITION OF mark_history FOR VALUES FROM (MINVALUE) TO (2025);
    FOR year IN 2025..2032 LOOP
        EXECUTE format('CREATE TABLE marks_%s PARTITION OF marks FOR VALUES FROM (%s) TO (%s)', year, year, year + 1);
        EXECUTE format('CREATE TABLE mark_history_%s PARTITION OF mark_history FOR VALUES FROM (%s) TO (%s)', year, year, year + 1);
    END LOOP;
    CREATE TABLE marks_later PARTITION OF marks DEFAULT;
    CREATE TABLE mark_history_later PARTITION OF mark_history DEFAULT;
END
$$;

CREATE TRIGGER mark_history_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mark_history
    FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();

-- Later decisions stand beside earlier ones; the latest of a kind counts.
CREATE TABLE decisions (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    school_id uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    council_round integer NOT NULL,
    number text NOT NULL,
    decided_on text NOT NULL,
    reason text NOT NULL,
    account_id text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX decisions_of_a_pupil ON decisions (pupil_id, school_year);
CREATE TRIGGER decisions_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();

-- Windows, re-openings, seals.

CREATE TABLE windows (
    window_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    scope text NOT NULL, -- nation, province:<id>, school:<uuid> or class:<uuid>: the narrowest place of the window
    grade smallint NOT NULL, -- 0 is every grade
    school_year smallint NOT NULL,
    term smallint NOT NULL,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    withdrawn boolean NOT NULL
);
CREATE INDEX windows_of_a_scope ON windows (scope, school_year, term);

CREATE TABLE reopenings (
    unlock_id uuid PRIMARY KEY,
    class_id uuid NOT NULL,
    subject text NOT NULL,
    term smallint NOT NULL,
    pupil_ids uuid[] NOT NULL,
    open_until timestamptz NOT NULL,
    reason text NOT NULL,
    class_version bigint NOT NULL,
    closed_at timestamptz
);
CREATE INDEX reopenings_of_a_class ON reopenings (class_id);

CREATE TABLE seals (
    lock_id uuid PRIMARY KEY,
    class_id uuid NOT NULL,
    term smallint NOT NULL,
    class_version bigint NOT NULL,
    class_digest bytea NOT NULL,
    outcomes jsonb NOT NULL,
    sealed_at timestamptz NOT NULL,
    CONSTRAINT one_seal_per_class_version UNIQUE (class_id, class_version)
);

CREATE TABLE sealed_versions (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    school_id uuid NOT NULL,
    class_id uuid NOT NULL,
    public_id text NOT NULL UNIQUE,
    salt text NOT NULL,
    digest bytea NOT NULL,
    content bytea NOT NULL,
    lock_id uuid NOT NULL,
    sealed_at timestamptz NOT NULL,
    CONSTRAINT one_content_per_transcript_version PRIMARY KEY (transcript_id, version)
);
CREATE TRIGGER sealed_versions_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sealed_versions
    FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();

-- Rows with personal data belong to a school and are seen by its people and by the system only; no officer of a
-- province reads marks here. The empty province never equals one.

DO $$
DECLARE
    guarded text;
    -- The same as hocba_sees(school_id, ''), with the settings read once a statement and not once a row: a sheet is
    -- hundreds of rows.
    sees text := $policy$
        (SELECT current_setting('hocba.scope', true)) = 'system'
        OR ((SELECT current_setting('hocba.scope', true)) = 'school'
            AND school_id = ANY ((SELECT string_to_array(current_setting('hocba.schools', true), ',')::uuid[])::uuid[]))
    $policy$;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['staff', 'pupil_years', 'marks', 'sealed_versions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY own_school ON %I USING (%s)', guarded, sees);
    END LOOP;
    -- These stay where they were written; who may see the pupil now may read all of them, a transfer included.
    FOREACH guarded IN ARRAY ARRAY['mark_history', 'decisions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY own_school ON %I FOR INSERT WITH CHECK (%s)', guarded, sees);
        EXECUTE format('CREATE POLICY pupil_is_ours ON %I FOR SELECT USING (EXISTS (SELECT FROM pupil_years p '
            'WHERE p.pupil_id = %I.pupil_id AND p.school_year = %I.school_year))', guarded, guarded, guarded);
    END LOOP;
    -- Nobody is granted the partitions by themselves; the policies hold there all the same.
    FOR guarded IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent IN ('marks'::regclass, 'mark_history'::regclass) LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', guarded);
    END LOOP;
END
$$;

-- Append-only tables get no UPDATE and no DELETE; FOR UPDATE on a row needs the grant that marks as changeable.
GRANT SELECT, INSERT, UPDATE ON schools, staff, classes, teaching_lists, pupil_years, gradebooks, marks, windows, reopenings TO hocba_grading;
GRANT SELECT, INSERT, DELETE ON teaching TO hocba_grading;
GRANT SELECT, INSERT ON mark_history, decisions, seals, sealed_versions TO hocba_grading;
