-- Transfer dossiers that came from elsewhere and passed the full check: where each lies, encrypted, and what the check has found.
-- Written once. The verdict holds no personal data.

CREATE TABLE received_dossiers (
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    pupil_id uuid NOT NULL,
    object_name text NOT NULL,
    pack_offset bigint NOT NULL,
    size bigint NOT NULL,
    verdict jsonb NOT NULL,
    received_account text NOT NULL,
    received_person text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (school_id, pupil_id, sha256)
);
CREATE INDEX received_dossiers_by_pupil ON received_dossiers (pupil_id);
CREATE TRIGGER received_dossiers_are_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON received_dossiers
    FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
ALTER TABLE received_dossiers ENABLE ROW LEVEL SECURITY;
ALTER TABLE received_dossiers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON received_dossiers USING (hocba_sees(school_id, province_id));
GRANT SELECT, INSERT ON received_dossiers TO hocba_archive;
