-- What comparisons of all stores have found. Kept by `hocba audit reconcile`, read by the dashboard and the alert.

CREATE TABLE reconciliations (
    run_id uuid PRIMARY KEY,
    taken_at timestamptz NOT NULL,
    province_id text NOT NULL,
    school_id text NOT NULL,
    seconds double precision NOT NULL,
    versions bigint NOT NULL
);
CREATE INDEX reconciliations_latest ON reconciliations (province_id, school_id, taken_at DESC);

CREATE TABLE discrepancies (
    run_id uuid NOT NULL REFERENCES reconciliations ON DELETE CASCADE,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('lost', 'parked', 'in_flight')),
    why text NOT NULL,
    province_id text NOT NULL,
    school_id uuid,
    class_id text NOT NULL,
    pupil_id text NOT NULL,
    school_year smallint NOT NULL,
    version integer NOT NULL,
    since timestamptz
);
CREATE INDEX discrepancies_of_a_run ON discrepancies (run_id, province_id, school_id);

ALTER TABLE discrepancies ENABLE ROW LEVEL SECURITY;
ALTER TABLE discrepancies FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON discrepancies USING (hocba_sees(school_id, province_id));

GRANT SELECT, INSERT, DELETE ON reconciliations, discrepancies TO hocba_reporting;
