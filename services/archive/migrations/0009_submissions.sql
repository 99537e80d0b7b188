-- What was submitted to the national register: a batch is decided on first, so that a repeat makes the same manifest, and its receipt follows.

CREATE TABLE submissions (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    province_id text NOT NULL,
    first_index bigint NOT NULL CHECK (first_index >= 0),
    end_index bigint NOT NULL,
    size bigint NOT NULL,
    checkpoint bytea NOT NULL,
    made_at timestamptz NOT NULL,
    CHECK (end_index > first_index AND end_index <= size),
    CONSTRAINT batches_follow_one_another UNIQUE (province_id, first_index)
);

CREATE TABLE submission_receipts (
    batch_id bigint PRIMARY KEY REFERENCES submissions,
    manifest_sha256 bytea NOT NULL CHECK (octet_length(manifest_sha256) = 32),
    receipt bytea NOT NULL,
    results bytea NOT NULL,
    applied integer NOT NULL,
    ignored integer NOT NULL,
    rejected integer NOT NULL,
    received_at timestamptz NOT NULL
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['submissions', 'submission_receipts'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only()',
            name || '_are_written_once', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hocba_archive', name);
    END LOOP;
END
$$;
