-- Counters by grade, those who wait by reason and day, and the numbers as they stood.

SET LOCAL hocba.scope = 'system';

-- A scope's own number is the sum over its grades: no row more to write per pupil, and a nation's counters spread over twelve rows.
ALTER TABLE counters ADD COLUMN grade smallint NOT NULL DEFAULT 0;
ALTER TABLE counters DROP CONSTRAINT counters_pkey;
ALTER TABLE counters ADD PRIMARY KEY (scope, scope_id, school_year, grade, measure);

-- Whoever has a reason waits since a day (UTC). A class is small enough to be counted when it is asked.
CREATE TABLE waits (
    school_year smallint NOT NULL,
    scope text NOT NULL CHECK (scope IN ('school', 'province', 'nation')),
    scope_id text NOT NULL,
    reason text NOT NULL,
    day date NOT NULL,
    pupils bigint NOT NULL,
    PRIMARY KEY (scope, scope_id, school_year, reason, day)
) WITH (fillfactor = 70);

-- What was counted without grades is told apart by the classes' grades; sums of classes are what the scopes above hold.
CREATE TEMPORARY TABLE by_class ON COMMIT DROP AS
SELECT c.school_year, c.scope_id, k.school_id, k.province_id, k.grade, c.measure, c.pupils
FROM counters c JOIN classes k ON k.class_id::text = c.scope_id WHERE c.scope = 'class' AND c.pupils <> 0;
DELETE FROM counters;
INSERT INTO counters (school_year, scope, scope_id, grade, measure, pupils)
SELECT school_year, 'class', scope_id, grade, measure, pupils FROM by_class
UNION ALL SELECT school_year, 'school', school_id, grade, measure, sum(pupils) FROM by_class GROUP BY 1, 3, 4, 5
UNION ALL SELECT school_year, 'province', province_id, grade, measure, sum(pupils) FROM by_class GROUP BY 1, 3, 4, 5
UNION ALL SELECT school_year, 'nation', '', grade, measure, sum(pupils) FROM by_class GROUP BY 1, 4, 5;

INSERT INTO waits (school_year, scope, scope_id, reason, day, pupils)
SELECT p.school_year, s.scope, s.scope_id, p.reason, (p.since AT TIME ZONE 'UTC')::date, count(*) FROM pupils p
CROSS JOIN LATERAL (VALUES ('school', coalesce(p.school_id::text, '')), ('province', p.province_id), ('nation', '')) AS s (scope, scope_id)
WHERE p.reason <> '' AND p.since IS NOT NULL GROUP BY 1, 2, 3, 4, 5;

GRANT SELECT, INSERT, UPDATE, DELETE ON waits TO hocba_reporting;

-- One row for each scope and hour in which its numbers differed from the row before.
CREATE TABLE snapshots (
    school_year smallint NOT NULL,
    scope text NOT NULL CHECK (scope IN ('school', 'province', 'nation')),
    scope_id text NOT NULL,
    taken_at timestamptz NOT NULL,
    counts jsonb NOT NULL,
    PRIMARY KEY (scope, scope_id, school_year, taken_at)
);
GRANT SELECT, INSERT ON snapshots TO hocba_reporting;

-- A province's schools, and its name, which is whichever its schools tell.
CREATE INDEX schools_by_province ON schools (province_id);
