-- Certified copies (sao y): numbered by school and calendar year without a gap, ordered once, issued once.

-- The counter's row lock gives a school's copies their order; the number that a transaction took comes back when it fails.
CREATE TABLE copy_counters (
    school_id uuid NOT NULL,
    year smallint NOT NULL,
    province_id text NOT NULL,
    last integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (school_id, year)
);
CREATE FUNCTION copies_are_counted_one_by_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR NEW.last <> OLD.last + 1 THEN
        RAISE EXCEPTION 'copies are counted one by one' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER copies_are_counted_one_by_one BEFORE UPDATE OR DELETE ON copy_counters FOR EACH ROW EXECUTE FUNCTION copies_are_counted_one_by_one();
CREATE TRIGGER copy_counters_stay BEFORE TRUNCATE ON copy_counters FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT SELECT, INSERT, UPDATE (last) ON copy_counters TO hocba_archive;

CREATE TABLE copies (
    copy_id uuid PRIMARY KEY,
    number integer NOT NULL CHECK (number > 0),
    year smallint NOT NULL,
    public_id text NOT NULL UNIQUE,
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    pupil_id uuid NOT NULL,
    class_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    school_year smallint NOT NULL,
    content bytea NOT NULL,
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    ordered_account text NOT NULL,
    ordered_at timestamptz NOT NULL,
    FOREIGN KEY (transcript_id, version) REFERENCES transcripts,
    CONSTRAINT one_copy_per_number UNIQUE (school_id, year, number)
);

CREATE TABLE issued_copies (
    copy_id uuid PRIMARY KEY REFERENCES copies,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    sha256 bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
    pack_digest bytea NOT NULL REFERENCES packs,
    pack_offset bigint NOT NULL CHECK (pack_offset > 0),
    size bigint NOT NULL CHECK (size > 0),
    leaf_id bigint NOT NULL UNIQUE REFERENCES leaves,
    admitted_at timestamptz NOT NULL
);
CREATE TRIGGER a_copy_wants_evidence AFTER INSERT ON issued_copies REFERENCING NEW TABLE AS admitted
    FOR EACH STATEMENT EXECUTE FUNCTION a_document_wants_evidence();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['copies', 'issued_copies'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only()',
            name || '_are_written_once', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hocba_archive', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['copy_counters', 'copies', 'issued_copies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (hocba_sees(school_id, province_id))', name);
    END LOOP;
END
$$;
