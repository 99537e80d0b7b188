-- Encryption at rest: a data key per owner of documents and province, wrapped by a key of the province that no table holds.
-- The owner is the pupil of a transcript, and the class of a class-subject sheet. Wrapping may be renewed, a data key never.

CREATE TABLE data_keys (
    owner_id uuid NOT NULL,
    province_id text NOT NULL,
    wrapping_key text NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (owner_id, province_id)
);
CREATE INDEX data_keys_by_wrapping_key ON data_keys (province_id, wrapping_key, owner_id);
CREATE TRIGGER data_keys_stay BEFORE DELETE OR TRUNCATE ON data_keys FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT SELECT, INSERT, UPDATE (wrapping_key, wrapped) ON data_keys TO hocba_archive;

ALTER TABLE packs ADD COLUMN cipher text NOT NULL DEFAULT '' CHECK (cipher IN ('', 'AES-256-GCM'));
