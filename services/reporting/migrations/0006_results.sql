-- Results by level: what each class told last, and the counters of its province, whose sum the nation is.

-- A small class's counts tell of its pupils: closed like rows of pupils.
CREATE TABLE class_results (
    class_id uuid PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    school_year smallint NOT NULL DEFAULT 0,
    province_id text NOT NULL DEFAULT '',
    grade smallint NOT NULL DEFAULT 0,
    counts jsonb NOT NULL DEFAULT '[]'
);
ALTER TABLE class_results ENABLE ROW LEVEL SECURITY;
ALTER TABLE class_results FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON class_results USING (hocba_sees(NULL, ''));

CREATE TABLE result_counters (
    school_year smallint NOT NULL,
    province_id text NOT NULL,
    grade smallint NOT NULL,
    item text NOT NULL,
    level text NOT NULL,
    pupils bigint NOT NULL,
    PRIMARY KEY (school_year, item, grade, province_id, level)
) WITH (fillfactor = 70);

GRANT SELECT, INSERT, UPDATE ON class_results TO hocba_reporting;
GRANT SELECT, INSERT, UPDATE, DELETE ON result_counters TO hocba_reporting;
