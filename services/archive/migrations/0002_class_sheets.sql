-- Class-subject sheets: documents of their own kind in the same packs and the same register. Their versions stand side by side.

CREATE TABLE sheets (
    sheet_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    subject text NOT NULL,
    school_year smallint NOT NULL,
    class_id uuid NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    public_id text NOT NULL,
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    row_count integer NOT NULL CHECK (row_count > 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    pack_digest bytea NOT NULL REFERENCES packs,
    pack_offset bigint NOT NULL CHECK (pack_offset > 0),
    size bigint NOT NULL CHECK (size > 0),
    register_index bigint NOT NULL REFERENCES register,
    level text NOT NULL,
    school_name text NOT NULL,
    manifest_id uuid NOT NULL,
    admitted_at timestamptz NOT NULL,
    PRIMARY KEY (sheet_id, version),
    CONSTRAINT one_sheet_per_document UNIQUE (sha256),
    CONSTRAINT one_sheet_per_public_id UNIQUE (public_id),
    CONSTRAINT one_sheet_per_register_line UNIQUE (register_index)
);
CREATE INDEX sheets_by_class ON sheets (class_id, register_index);
CREATE INDEX sheets_by_school ON sheets (school_id, school_year, register_index);

CREATE TRIGGER sheets_is_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON sheets FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
ALTER TABLE sheets ENABLE ROW LEVEL SECURITY;
ALTER TABLE sheets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON sheets USING (hocba_sees(school_id, province_id));
GRANT SELECT, INSERT ON sheets TO hocba_archive;

-- A refused sheet stands beside refused transcripts, its id in the place of the transcript's.
ALTER TABLE rejected
    ADD COLUMN kind text NOT NULL DEFAULT 'transcript' CHECK (kind IN ('transcript', 'sheet')),
    ADD COLUMN subject text NOT NULL DEFAULT '',
    ALTER COLUMN pupil_id DROP NOT NULL,
    ADD CONSTRAINT a_transcript_is_a_pupils CHECK ((kind = 'transcript') = (pupil_id IS NOT NULL));
