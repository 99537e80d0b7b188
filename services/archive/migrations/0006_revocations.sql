-- Revocations: asked for by one person on the ground of a decision, confirmed by another. Both are written once, and the
-- confirmation is what revokes, together with its leaf of the log.

CREATE TABLE revocation_requests (
    request_id uuid PRIMARY KEY,
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    reason text NOT NULL,
    decision_number text NOT NULL,
    decision_date date NOT NULL,
    decision_sha256 bytea NOT NULL CHECK (octet_length(decision_sha256) = 32),
    requested_account text NOT NULL,
    requested_person text NOT NULL,
    requested_at timestamptz NOT NULL,
    FOREIGN KEY (transcript_id, version) REFERENCES transcripts
);
CREATE INDEX revocation_requests_by_transcript ON revocation_requests (transcript_id, version);

CREATE TABLE revocations (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    request_id uuid NOT NULL UNIQUE REFERENCES revocation_requests,
    confirmed_account text NOT NULL,
    confirmed_person text NOT NULL,
    leaf_id bigint NOT NULL UNIQUE REFERENCES leaves,
    revoked_at timestamptz NOT NULL,
    CONSTRAINT a_version_is_revoked_once PRIMARY KEY (transcript_id, version)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['revocation_requests', 'revocations'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only()',
            name || '_are_written_once', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (hocba_sees(school_id, province_id))', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hocba_archive', name);
    END LOOP;
END
$$;
