-- Class-subject sheets: what a subject teacher signs once for the class, one row per version, written by the seal that made it.

CREATE TABLE class_sheets (
    sheet_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    class_id uuid NOT NULL,
    school_id uuid NOT NULL,
    subject text NOT NULL,
    staff_id uuid, -- responsible when it was sealed
    public_id text NOT NULL UNIQUE,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    row_count integer NOT NULL CHECK (row_count > 0),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    content bytea NOT NULL,
    lock_id uuid NOT NULL,
    sealed_at timestamptz NOT NULL,
    CONSTRAINT one_content_per_sheet_version PRIMARY KEY (sheet_id, version)
);
CREATE INDEX sheets_of_a_class ON class_sheets (class_id);
CREATE TRIGGER class_sheets_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON class_sheets
    FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();

ALTER TABLE class_sheets ENABLE ROW LEVEL SECURITY;
ALTER TABLE class_sheets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_school ON class_sheets USING (hocba_sees(school_id, ''));

GRANT SELECT, INSERT ON class_sheets TO hocba_grading;
