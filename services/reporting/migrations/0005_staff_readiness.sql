-- What is counted beside the pupils' coverage: each thing with its facts and what it counts, and the counters that follow.

-- The province that enrollment last told of a school. Version 0: only mentioned so far.
CREATE TABLE school_places (
    school_id uuid PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    province_id text NOT NULL DEFAULT ''
);

-- `facts` is what the events told; everything beside it follows from facts and school. `turns_at`: when what it counts changes by itself.
CREATE TABLE tallied (
    subject text NOT NULL,
    item_id uuid NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}',
    school_id uuid,
    province_id text NOT NULL DEFAULT '',
    counts jsonb NOT NULL DEFAULT '[]',
    turns_at timestamptz,
    PRIMARY KEY (subject, item_id)
) WITH (fillfactor = 80);
CREATE INDEX tallied_by_school ON tallied (subject, school_id);
CREATE INDEX tallied_by_turn ON tallied (subject, turns_at) WHERE turns_at IS NOT NULL;

CREATE TABLE tallies (
    subject text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('school', 'province', 'nation')),
    scope_id text NOT NULL,
    period text NOT NULL,
    kind text NOT NULL,
    measure text NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (subject, scope, scope_id, period, kind, measure)
) WITH (fillfactor = 70);

ALTER TABLE tallied ENABLE ROW LEVEL SECURITY;
ALTER TABLE tallied FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON tallied USING (hocba_sees(school_id, province_id));

GRANT SELECT, INSERT, UPDATE ON school_places, tallied TO hocba_reporting;
GRANT SELECT, INSERT, UPDATE, DELETE ON tallies TO hocba_reporting;
