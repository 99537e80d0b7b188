-- Signing's own copy of sealed classes, what was approved, what was intended, and what the keys did.

CREATE TABLE school (
    school_id uuid PRIMARY KEY,
    province_id text NOT NULL,
    version bigint NOT NULL,
    name text NOT NULL
);

CREATE TABLE staff (
    staff_id uuid PRIMARY KEY,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    version bigint NOT NULL,
    person_id text NOT NULL,
    full_name text NOT NULL,
    appointments jsonb NOT NULL
);
CREATE INDEX staff_by_person ON staff (school_id, person_id);

-- One row per class; its lock is the one lock of all that happens to the class here.
CREATE TABLE school_class (
    class_id uuid PRIMARY KEY,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    school_year integer NOT NULL,
    grade integer NOT NULL,
    level text NOT NULL,
    class_version bigint NOT NULL,
    sealed_at timestamptz NOT NULL,
    homeroom_staff_id uuid
);

CREATE TABLE class_part (
    class_id uuid NOT NULL REFERENCES school_class,
    class_version bigint NOT NULL,
    part integer NOT NULL,
    PRIMARY KEY (class_id, class_version, part)
);

-- State: sealed (content is here), prepared (the page is made), signed (all signatures are on),
-- halted (its manifest was halted or rejected), superseded (a newer version came before it was signed).
CREATE TABLE transcript (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    pupil_id uuid NOT NULL,
    class_id uuid NOT NULL REFERENCES school_class,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    class_version bigint NOT NULL,
    public_id text NOT NULL,
    content_digest bytea NOT NULL,
    content bytea NOT NULL,
    corrections integer NOT NULL,
    state text NOT NULL CHECK (state IN ('sealed', 'prepared', 'signed', 'halted', 'superseded')),
    failure text NOT NULL DEFAULT '',
    template_version text,
    template_digest bytea,
    body_digest bytea,
    body_pack text,
    signed_roles integer NOT NULL DEFAULT 0,
    current_digest bytea,
    current_pack text,
    PRIMARY KEY (transcript_id, version),
    CONSTRAINT a_page_is_whole CHECK ((state IN ('sealed', 'halted', 'superseded')) OR body_digest IS NOT NULL)
);
CREATE INDEX transcript_by_class ON transcript (class_id, state);

CREATE TABLE manifest (
    manifest_id uuid PRIMARY KEY,
    class_id uuid NOT NULL REFERENCES school_class,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    class_version bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('ready', 'completed', 'halted', 'rejected')),
    version bigint NOT NULL DEFAULT 1,
    reason text NOT NULL DEFAULT '',
    merkle_root bytea NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX manifest_by_class ON manifest (class_id);
CREATE INDEX manifest_by_school ON manifest (school_id, state);

CREATE TABLE manifest_entry (
    manifest_id uuid NOT NULL REFERENCES manifest,
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    content_digest bytea NOT NULL,
    template_version text NOT NULL,
    template_digest bytea NOT NULL,
    body_digest bytea NOT NULL,
    PRIMARY KEY (manifest_id, transcript_id),
    FOREIGN KEY (transcript_id, version) REFERENCES transcript
);

-- Who may sign as what: public halves only; keys stay behind the key port under key_name.
CREATE TABLE certificate (
    sha256 bytea NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    role text NOT NULL,
    staff_id uuid,
    serial text NOT NULL,
    certificate bytea NOT NULL,
    chain bytea[] NOT NULL,
    key_name text NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (sha256, school_id, role)
);
CREATE INDEX certificate_by_holder ON certificate (school_id, role, staff_id, registered_at DESC);

CREATE TABLE approval (
    manifest_id uuid NOT NULL REFERENCES manifest,
    role text NOT NULL,
    merkle_root bytea NOT NULL,
    account_id text NOT NULL,
    person_id text NOT NULL,
    staff_id uuid,
    authority text NOT NULL,
    certificate_sha256 bytea NOT NULL,
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (manifest_id, role)
);

CREATE TABLE signing_order (
    order_id uuid PRIMARY KEY,
    class_id uuid NOT NULL REFERENCES school_class,
    step text NOT NULL CHECK (step IN ('prepare', 'sign')),
    manifest_id uuid REFERENCES manifest,
    role text,
    attempt integer NOT NULL,
    state text NOT NULL CHECK (state IN ('released', 'done', 'cancelled')),
    fixed_at timestamptz NOT NULL,
    released_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX signing_order_by_class ON signing_order (class_id, state);

CREATE TABLE order_line (
    order_id uuid NOT NULL REFERENCES signing_order,
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'failed', 'dropped')),
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, transcript_id)
);

-- Written before a key is used, never changed: what the keys did is compared with this.
CREATE TABLE intent (
    intent_id uuid PRIMARY KEY,
    manifest_id uuid NOT NULL REFERENCES manifest,
    order_id uuid NOT NULL REFERENCES signing_order,
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    role text NOT NULL,
    attempt integer NOT NULL,
    template_digest bytea NOT NULL,
    before_digest bytea NOT NULL,
    to_be_signed bytea NOT NULL,
    certificate_sha256 bytea NOT NULL,
    certificate_serial text NOT NULL,
    signed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT one_intent_per_signature UNIQUE (manifest_id, transcript_id, version, role, attempt)
);
CREATE TRIGGER intent_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON intent EXECUTE FUNCTION hocba_append_only();

-- Announced signatures. A halted manifest's come to nothing, so a version may be signed anew under another manifest;
-- but only one signature can ever complete it.
CREATE TABLE signature (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    role text NOT NULL,
    intent_id uuid NOT NULL UNIQUE REFERENCES intent,
    manifest_id uuid NOT NULL REFERENCES manifest,
    result_digest bytea NOT NULL,
    size bigint NOT NULL,
    pack text NOT NULL,
    pack_digest bytea NOT NULL,
    certificate_serial text NOT NULL,
    signed_at timestamptz NOT NULL,
    announced_at timestamptz NOT NULL,
    completes boolean NOT NULL,
    PRIMARY KEY (manifest_id, transcript_id, version, role)
);
CREATE UNIQUE INDEX one_completion_per_transcript_version ON signature (transcript_id, version) WHERE completes;
CREATE TRIGGER signature_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON signature EXECUTE FUNCTION hocba_append_only();

-- Intents that led to no announced signature, each with its reason: what the keys did minus what was announced.
CREATE TABLE void_intent (
    intent_id uuid PRIMARY KEY REFERENCES intent,
    reason text NOT NULL,
    voided_at timestamptz NOT NULL
);
CREATE TRIGGER void_intent_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON void_intent EXECUTE FUNCTION hocba_append_only();

CREATE TABLE halt (
    unlock_id uuid PRIMARY KEY,
    class_id uuid NOT NULL,
    manifests_halted integer NOT NULL,
    already_announced integer NOT NULL,
    halted_at timestamptz NOT NULL
);

DO $$
DECLARE
    guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['staff', 'school_class', 'transcript', 'manifest', 'certificate'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format(
            'CREATE POLICY by_scope ON %I USING (hocba_sees(school_id, province_id)) WITH CHECK (hocba_sees(school_id, province_id))',
            guarded
        );
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON school, staff, school_class, transcript, manifest, certificate, signing_order, order_line TO hocba_signing;
GRANT SELECT, INSERT ON class_part, manifest_entry, approval, intent, signature, void_intent, halt TO hocba_signing;
