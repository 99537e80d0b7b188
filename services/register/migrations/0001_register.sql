-- The national register. What was received is written once; only an approval may end and a token may change.

CREATE TABLE accounts (
    department text PRIMARY KEY,
    name text NOT NULL,
    token_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
    log_policy text NOT NULL,
    may_find boolean NOT NULL,
    opened_at timestamptz NOT NULL
);

CREATE TABLE certificates (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    department text NOT NULL REFERENCES accounts,
    approved_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_why text NOT NULL DEFAULT ''
);

-- One head for each size of a department's log: a second one with another root is the proof of a fork.
CREATE TABLE checkpoints (
    department text NOT NULL REFERENCES accounts,
    origin text NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note bytea NOT NULL,
    PRIMARY KEY (department, origin, size)
);

CREATE TABLE submissions (
    manifest_sha256 bytea NOT NULL CHECK (octet_length(manifest_sha256) = 32),
    department text NOT NULL REFERENCES accounts,
    certificate_sha256 bytea NOT NULL REFERENCES certificates,
    signature bytea NOT NULL,
    receipt bytea NOT NULL,
    results bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (department, manifest_sha256)
);

-- Every record that was applied. Pupils' numbers stand here only as keyed digests: who has a copy of this table, but not the key, finds nobody.
CREATE TABLE records (
    department text NOT NULL REFERENCES accounts,
    transcript_id uuid NOT NULL,
    revision bigint NOT NULL CHECK (revision > 0),
    version integer NOT NULL CHECK (version > 0),
    operation text NOT NULL CHECK (operation IN ('NEW', 'UPDATE', 'CANCEL')),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    school_year smallint NOT NULL,
    level text NOT NULL,
    school_id text NOT NULL,
    personal_number_key bytea,
    ministry_code_key bytea,
    fetch_url text NOT NULL,
    statement bytea NOT NULL,
    log_index bigint NOT NULL,
    manifest_sha256 bytea NOT NULL,
    PRIMARY KEY (department, transcript_id, revision),
    FOREIGN KEY (department, manifest_sha256) REFERENCES submissions (department, manifest_sha256)
);
CREATE UNIQUE INDEX records_one_version_per_document ON records (department, sha256) WHERE operation <> 'CANCEL';
CREATE INDEX records_by_personal_number ON records (personal_number_key);
CREATE INDEX records_by_ministry_code ON records (ministry_code_key);

-- Who has looked for whom, by the same keyed digest.
CREATE TABLE lookups (
    department text NOT NULL REFERENCES accounts,
    pupil_key bytea NOT NULL,
    found integer NOT NULL,
    at timestamptz NOT NULL
);

CREATE FUNCTION register_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written once', TG_TABLE_NAME;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['checkpoints', 'submissions', 'records', 'lookups'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION register_append_only()',
            name || '_are_written_once', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hocba_register', name);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON accounts TO hocba_register;
GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_why) ON certificates TO hocba_register;
