-- The archive: packs, the index of admitted versions, the chained register, what was never issued, what was refused.
-- Everything that is admitted is written once: triggers refuse changes even to the owner's ordinary statements, and the
-- run-time role is granted nothing but SELECT and INSERT.

CREATE TABLE packs (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    object_name text NOT NULL UNIQUE,
    size bigint NOT NULL CHECK (size > 0),
    documents integer NOT NULL CHECK (documents > 0),
    stored_at timestamptz NOT NULL
);

-- One row, updated in the transaction of each admission; its row lock gives the statements their order.
CREATE TABLE register_head (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    entries bigint NOT NULL CHECK (entries >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
INSERT INTO register_head (entries, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE TABLE register (
    register_index bigint PRIMARY KEY CHECK (register_index > 0),
    statement bytea NOT NULL,
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32)
);

CREATE TABLE transcripts (
    transcript_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    class_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    public_id text NOT NULL,
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    pack_digest bytea NOT NULL REFERENCES packs,
    pack_offset bigint NOT NULL CHECK (pack_offset > 0),
    size bigint NOT NULL CHECK (size > 0),
    supersedes integer NOT NULL CHECK (supersedes >= 0 AND supersedes < version),
    register_index bigint NOT NULL REFERENCES register,
    level text NOT NULL,
    school_name text NOT NULL,
    manifest_id uuid NOT NULL,
    admitted_at timestamptz NOT NULL,
    PRIMARY KEY (transcript_id, version),
    CONSTRAINT one_document_per_pupil_year_and_version UNIQUE (pupil_id, school_year, version),
    CONSTRAINT one_version_per_document UNIQUE (sha256),
    CONSTRAINT one_version_per_public_id UNIQUE (public_id),
    CONSTRAINT one_version_per_register_line UNIQUE (register_index),
    CONSTRAINT a_version_is_superseded_once UNIQUE (transcript_id, supersedes)
);
CREATE INDEX transcripts_by_class ON transcripts (class_id, register_index);
CREATE INDEX transcripts_by_school ON transcripts (school_id, school_year, register_index);
CREATE INDEX transcripts_by_pupil ON transcripts (pupil_id);

-- Versions that were sealed and never issued: the gap before an admitted version.
CREATE TABLE void_versions (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    before_version integer NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (transcript_id, version)
);

-- Everything that was announced about a refused document stays, so that it can be judged again.
CREATE TABLE rejected (
    rejected_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    sha256 bytea NOT NULL,
    pupil_id uuid NOT NULL,
    school_year smallint NOT NULL,
    class_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    public_id text NOT NULL,
    content_digest bytea NOT NULL,
    size bigint NOT NULL,
    serials text[] NOT NULL,
    manifest_id uuid NOT NULL,
    pack text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    rejected_at timestamptz NOT NULL,
    CONSTRAINT one_line_per_refused_document_and_reason UNIQUE (transcript_id, version, sha256, reason)
);
CREATE INDEX rejected_by_class ON rejected (class_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['packs', 'register', 'transcripts', 'void_versions', 'rejected'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only()',
            name || '_is_written_once', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hocba_archive', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['transcripts', 'void_versions', 'rejected'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (hocba_sees(school_id, province_id))', name);
    END LOOP;
END
$$;

-- The head only moves forward, by one transaction's statements at a time.
CREATE FUNCTION register_head_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR NEW.entries <= OLD.entries THEN
        RAISE EXCEPTION 'the register only grows' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER register_head_moves_forward BEFORE UPDATE OR DELETE ON register_head
    FOR EACH ROW EXECUTE FUNCTION register_head_moves_forward();
GRANT SELECT, UPDATE (entries, hash) ON register_head TO hocba_archive;
