-- Windows, leases, locks, unlocks and their audit trail. Run by the owner role; `hocba_locking` is the run-time role.

-- The roster: locking's own copy of what enrollment says, ids only. Versions guard against repeats and old news.
CREATE TABLE schools (
    school_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    province_id text NOT NULL
);

CREATE TABLE classes (
    class_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    school_year integer NOT NULL,
    grade integer NOT NULL,
    homeroom_staff_id text NOT NULL,
    late_check_at timestamptz
);
CREATE INDEX classes_by_place ON classes (school_year, province_id, school_id);
CREATE INDEX classes_to_check ON classes (late_check_at) WHERE late_check_at IS NOT NULL;

CREATE TABLE staff (
    school_id uuid NOT NULL,
    staff_id text NOT NULL,
    version bigint NOT NULL,
    person_id text NOT NULL,
    roles text[] NOT NULL,
    PRIMARY KEY (school_id, staff_id)
);
CREATE INDEX staff_by_person ON staff (person_id);

CREATE TABLE teaching (
    class_id uuid PRIMARY KEY,
    school_id uuid NOT NULL,
    version bigint NOT NULL,
    subjects text[] NOT NULL,
    staff_ids text[] NOT NULL
);

-- Windows: the present version of each, and every version there was.
CREATE TABLE windows (
    window_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    area smallint NOT NULL CHECK (area BETWEEN 1 AND 4),
    province_id text,
    school_id uuid,
    class_id uuid,
    grade integer CHECK (grade BETWEEN 1 AND 12),
    scope_key text NOT NULL,
    school_year integer NOT NULL,
    term text NOT NULL CHECK (term IN ('TERM_1', 'TERM_2')),
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    frame_opens_at timestamptz,
    frame_closes_at timestamptz,
    seals_year boolean NOT NULL,
    withdrawn boolean NOT NULL,
    announced text NOT NULL,
    turns_at timestamptz,
    CHECK (opens_at < closes_at),
    CHECK ((frame_opens_at IS NULL) = (frame_closes_at IS NULL))
);
CREATE UNIQUE INDEX windows_one_per_scope ON windows (scope_key, school_year, term) WHERE NOT withdrawn;
CREATE INDEX windows_by_term ON windows (school_year, term, area, province_id, school_id) WHERE NOT withdrawn;
CREATE INDEX windows_to_turn ON windows (turns_at) WHERE turns_at IS NOT NULL;

CREATE TABLE window_versions (
    window_id uuid NOT NULL,
    version bigint NOT NULL,
    body jsonb NOT NULL,
    account_id text NOT NULL,
    reason text NOT NULL,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (window_id, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON window_versions EXECUTE FUNCTION hocba_append_only();

-- Leases: what grading is (to be) told about a class and term. `confirmed_version` is what it has answered to.
CREATE TABLE leases (
    class_id uuid NOT NULL,
    term text NOT NULL CHECK (term IN ('TERM_1', 'TERM_2')),
    version bigint NOT NULL,
    opens_at timestamptz,
    closes_at timestamptz,
    seals_year boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'CLOSED')),
    given_by uuid,
    confirmed_version bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (class_id, term),
    CHECK ((opens_at IS NULL) = (closes_at IS NULL)),
    CHECK (opens_at < closes_at),
    CHECK (confirmed_version <= version)
);
CREATE INDEX leases_to_close ON leases (closes_at) WHERE state = 'OPEN';
CREATE INDEX leases_by_window ON leases (given_by) WHERE confirmed_version < version;

-- Locks: orders to seal a class, and what grading answered. One order at a time per class and period.
CREATE TABLE locks (
    lock_id uuid PRIMARY KEY,
    class_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    school_year integer NOT NULL,
    grade integer NOT NULL,
    period text NOT NULL CHECK (period IN ('TERM_1', 'TERM_2', 'YEAR')),
    cause text NOT NULL CHECK (cause IN ('CLOSING', 'MANUAL', 'LATE', 'RESEAL')),
    unlock_id uuid,
    account_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('INTENDED', 'HELD')),
    intended_at timestamptz NOT NULL,
    held_at timestamptz,
    class_version bigint,
    class_digest bytea,
    outcomes jsonb,
    CHECK ((cause = 'RESEAL') = (unlock_id IS NOT NULL)),
    CHECK ((state = 'HELD') = (held_at IS NOT NULL AND class_version IS NOT NULL AND class_digest IS NOT NULL AND outcomes IS NOT NULL))
);
CREATE UNIQUE INDEX locks_one_intended ON locks (class_id, period) WHERE state = 'INTENDED';
CREATE UNIQUE INDEX locks_one_reseal ON locks (unlock_id) WHERE unlock_id IS NOT NULL;
CREATE INDEX locks_latest ON locks (class_id, period, held_at DESC NULLS LAST);

-- Unlocks: where each stands, and every step it took.
CREATE TABLE unlocks (
    unlock_id uuid PRIMARY KEY,
    class_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    school_year integer NOT NULL,
    grade integer NOT NULL,
    term text NOT NULL CHECK (term IN ('TERM_1', 'TERM_2')),
    subject text NOT NULL,
    pupils uuid[] NOT NULL CHECK (cardinality(pupils) > 0),
    reason text NOT NULL CHECK (length(reason) >= 10),
    evidence text NOT NULL CHECK (evidence <> ''),
    policy jsonb NOT NULL,
    policy_version bigint NOT NULL,
    requested_at timestamptz NOT NULL,
    open_for_seconds bigint NOT NULL CHECK (open_for_seconds > 0),
    requester_account text NOT NULL,
    requester_person text NOT NULL,
    requester_role text NOT NULL,
    state text NOT NULL CHECK (state IN ('REQUESTED', 'CONFIRMED', 'REPORTED', 'ACKNOWLEDGED', 'OBJECTED', 'GRANTING', 'GRANTED',
        'CORRECTED', 'EXPIRED', 'WITHDRAWN', 'RESEALED', 'REFUSED', 'CANCELLED', 'LAPSED')),
    version bigint NOT NULL,
    approver_account text,
    approver_person text,
    approver_role text,
    officer_account text,
    officer_person text,
    officer_role text,
    reported_at timestamptz,
    report_number text NOT NULL,
    until timestamptz,
    due_at timestamptz,
    sealed_class_version bigint,
    -- Two people, whatever the code above the database believes.
    CONSTRAINT approver_is_another_person CHECK (approver_person <> requester_person),
    CONSTRAINT approver_is_another_account CHECK (approver_account <> requester_account),
    CONSTRAINT officer_is_a_third_person CHECK (officer_person <> requester_person AND officer_person <> approver_person),
    CONSTRAINT open_only_after_confirmation CHECK (
        state NOT IN ('CONFIRMED', 'REPORTED', 'ACKNOWLEDGED', 'OBJECTED', 'GRANTING', 'GRANTED', 'CORRECTED', 'EXPIRED', 'WITHDRAWN', 'RESEALED')
        OR approver_person IS NOT NULL),
    CONSTRAINT open_only_for_a_time CHECK (
        state NOT IN ('GRANTING', 'GRANTED', 'CORRECTED', 'EXPIRED', 'WITHDRAWN', 'RESEALED') OR until IS NOT NULL)
);
CREATE UNIQUE INDEX unlocks_one_open_per_class ON unlocks (class_id) WHERE state IN ('GRANTING', 'GRANTED', 'CORRECTED', 'EXPIRED', 'WITHDRAWN');
CREATE INDEX unlocks_due ON unlocks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX unlocks_by_place ON unlocks (province_id, school_id, requested_at DESC);
CREATE INDEX unlocks_by_class ON unlocks (class_id, requested_at DESC);

CREATE TABLE unlock_steps (
    unlock_id uuid NOT NULL REFERENCES unlocks,
    version bigint NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    verb text NOT NULL,
    state text NOT NULL,
    account_id text NOT NULL,
    person_id text NOT NULL,
    role text NOT NULL,
    reason text NOT NULL,
    document text NOT NULL,
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (unlock_id, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON unlock_steps EXECUTE FUNCTION hocba_append_only();

CREATE TABLE policies (
    province_id text NOT NULL,
    version bigint NOT NULL,
    data jsonb NOT NULL,
    account_id text NOT NULL,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (province_id, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policies EXECUTE FUNCTION hocba_append_only();

-- Errands: what must still be said to grading and signing. The row is the intent; it goes when they have answered.
CREATE TABLE errands (
    errand_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('lease', 'seal', 'open')),
    class_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    version bigint NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    UNIQUE (kind, subject_id, version)
);
CREATE INDEX errands_due ON errands (due_at, errand_id);
CREATE INDEX errands_of_class ON errands (class_id, kind, errand_id);

-- The audit trail: one chain per stream, h_n = SHA-256(h_{n-1} || body in UTF-8), h_0 = 32 zero bytes. `body` is the
-- canonical JSON row and the only truth; the other columns are derived from it or serve row-level security.
CREATE TABLE audit_heads (
    stream text PRIMARY KEY,
    number bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);

CREATE TABLE audit_lines (
    stream text NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    body text NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    school_id uuid,
    province_id text,
    action text GENERATED ALWAYS AS (body::jsonb ->> 'action') STORED,
    at text GENERATED ALWAYS AS (body::jsonb ->> 'at') STORED,
    PRIMARY KEY (stream, number)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_lines EXECUTE FUNCTION hocba_append_only();

-- The head of a stream, held until the end of the transaction so that two writers cannot follow one line.
CREATE FUNCTION audit_head(wanted text) RETURNS audit_heads LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    head audit_heads;
BEGIN
    INSERT INTO audit_heads (stream, number, hash) VALUES (wanted, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT head FROM audit_heads WHERE stream = wanted FOR UPDATE;
    RETURN head;
END
$$;

-- The database itself refuses a line that does not follow from the one before it, and moves the head.
CREATE FUNCTION audit_follows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    head audit_heads := audit_head(NEW.stream);
BEGIN
    IF NEW.number <> head.number + 1 OR NEW.hash <> sha256(head.hash || convert_to(NEW.body, 'UTF8')) THEN
        RAISE EXCEPTION 'audit line % of % does not follow line %', NEW.number, NEW.stream, head.number USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE audit_heads SET number = NEW.number, hash = NEW.hash WHERE stream = NEW.stream;
    RETURN NEW;
END
$$;
CREATE TRIGGER follows BEFORE INSERT ON audit_lines FOR EACH ROW EXECUTE FUNCTION audit_follows();

-- For auditors with a read-only connection; needs SET hocba.scope = 'system', as row-level security holds for views too.
CREATE VIEW audit_chain WITH (security_invoker) AS
SELECT stream, number, body, hash FROM audit_lines ORDER BY stream COLLATE "C", number;

-- Row-level security on everything that names people or pupils.
ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
ALTER TABLE staff FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON staff USING (hocba_sees(school_id, (SELECT s.province_id FROM schools s WHERE s.school_id = staff.school_id)));
ALTER TABLE teaching ENABLE ROW LEVEL SECURITY;
ALTER TABLE teaching FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON teaching USING (hocba_sees(school_id, (SELECT s.province_id FROM schools s WHERE s.school_id = teaching.school_id)));
ALTER TABLE locks ENABLE ROW LEVEL SECURITY;
ALTER TABLE locks FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON locks USING (hocba_sees(school_id, province_id));
ALTER TABLE unlocks ENABLE ROW LEVEL SECURITY;
ALTER TABLE unlocks FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON unlocks USING (hocba_sees(school_id, province_id));
ALTER TABLE unlock_steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE unlock_steps FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON unlock_steps USING (hocba_sees(school_id, province_id));
ALTER TABLE audit_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_lines FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON audit_lines USING (hocba_sees(school_id, province_id));

-- The run-time role may do what its statements do, and no more. History can't be unwritten by it.
GRANT SELECT, INSERT, UPDATE ON schools, classes, staff, teaching, windows, leases, locks, unlocks TO hocba_locking;
GRANT SELECT, INSERT ON window_versions, unlock_steps, policies, audit_lines TO hocba_locking;
GRANT SELECT, INSERT, UPDATE, DELETE ON errands TO hocba_locking;
GRANT SELECT ON audit_heads, audit_chain TO hocba_locking;
REVOKE ALL ON FUNCTION audit_head(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_head(text) TO hocba_locking;
