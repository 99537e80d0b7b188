-- Read models: what is known of pupils, classes and schools, and the counters that follow from it. Ids only, no names of
-- people; rows of pupils are closed by row-level security all the same.

CREATE TABLE schools (
    school_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    name text NOT NULL,
    province_id text NOT NULL,
    province_name text NOT NULL
);

-- Version 0: only mentioned so far.
CREATE TABLE classes (
    class_id uuid PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    province_id text NOT NULL DEFAULT '',
    school_id text NOT NULL DEFAULT '',
    school_year smallint NOT NULL DEFAULT 0,
    grade smallint NOT NULL DEFAULT 0,
    name text NOT NULL DEFAULT ''
);
CREATE INDEX classes_by_school ON classes (school_id, school_year);

-- `facts` is what the events told; everything beside it follows from facts and class, and is here to be searched.
CREATE TABLE pupils (
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}',
    class_id text NOT NULL DEFAULT '',
    placed_school_id text NOT NULL DEFAULT '',
    school_id uuid,
    province_id text NOT NULL DEFAULT '',
    steps integer NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    since timestamptz,
    PRIMARY KEY (pupil_id, school_year)
) WITH (fillfactor = 80);
CREATE INDEX pupils_by_class ON pupils (class_id);
CREATE INDEX pupils_missing ON pupils (school_id, school_year) WHERE reason <> '';

-- News that named only a class whose school year nobody has told yet.
CREATE TABLE waiting_news (
    waiting_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id uuid NOT NULL,
    pupil_id uuid NOT NULL,
    news jsonb NOT NULL,
    announced_at timestamptz NOT NULL
);
CREATE INDEX waiting_news_by_class ON waiting_news (class_id);

CREATE TABLE counters (
    school_year smallint NOT NULL,
    scope text NOT NULL CHECK (scope IN ('class', 'school', 'province', 'nation')),
    scope_id text NOT NULL,
    measure text NOT NULL,
    pupils bigint NOT NULL,
    PRIMARY KEY (scope, scope_id, school_year, measure)
) WITH (fillfactor = 70);

CREATE TABLE sheets (
    class_id uuid NOT NULL,
    subject text NOT NULL,
    term smallint NOT NULL,
    version bigint NOT NULL,
    expected integer NOT NULL,
    filled integer NOT NULL,
    PRIMARY KEY (class_id, subject, term)
);

CREATE TABLE unlocks (
    unlock_id uuid PRIMARY KEY,
    class_id uuid NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    moved_at timestamptz NOT NULL
);
CREATE INDEX unlocks_by_class ON unlocks (class_id);

ALTER TABLE pupils ENABLE ROW LEVEL SECURITY;
ALTER TABLE pupils FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON pupils USING (hocba_sees(school_id, province_id));
ALTER TABLE waiting_news ENABLE ROW LEVEL SECURITY;
ALTER TABLE waiting_news FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON waiting_news USING (hocba_sees(NULL, ''));

GRANT SELECT, INSERT, UPDATE ON schools, classes, pupils, sheets, unlocks TO hocba_reporting;
GRANT SELECT, INSERT, UPDATE, DELETE ON counters TO hocba_reporting;
GRANT SELECT, INSERT, DELETE ON waiting_news TO hocba_reporting;
