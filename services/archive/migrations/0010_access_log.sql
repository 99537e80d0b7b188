-- The access log: each answer with personal data leaves a line before it goes out. Each process chains its own stream, so no row is hot;
-- the transparency log is told at intervals how far each has come. A line's body may be erased when it is old; its digest and hash stay.

CREATE TABLE access_streams (
    stream uuid PRIMARY KEY,
    begun_at timestamptz NOT NULL
);
CREATE TABLE access_lines (
    stream uuid NOT NULL REFERENCES access_streams,
    number bigint NOT NULL CHECK (number > 0),
    body text,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (stream, number)
);
CREATE INDEX access_lines_by_school ON access_lines (school_id, at) WHERE body IS NOT NULL;
CREATE INDEX access_lines_by_time ON access_lines (at, stream, number) WHERE body IS NOT NULL;
CREATE INDEX access_lines_by_document ON access_lines ((body::jsonb ->> 'document_id')) WHERE body IS NOT NULL;
CREATE TABLE access_anchors (
    stream uuid NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    leaf_id bigint NOT NULL UNIQUE REFERENCES leaves,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (stream, number),
    FOREIGN KEY (stream, number) REFERENCES access_lines
);

-- What retention may do, and not before two years whatever it is set to: a complaint about a reading must find it.
CREATE FUNCTION an_access_line_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.body IS NOT NULL AND NEW.body IS NULL AND OLD.at < now() - interval '2 years'
        AND (NEW.stream, NEW.number, NEW.digest, NEW.hash, NEW.school_id, NEW.province_id, NEW.at)
            = (OLD.stream, OLD.number, OLD.digest, OLD.hash, OLD.school_id, OLD.province_id, OLD.at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the access log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER an_access_line_stays BEFORE UPDATE ON access_lines FOR EACH ROW EXECUTE FUNCTION an_access_line_stays();
CREATE TRIGGER access_lines_are_kept BEFORE DELETE OR TRUNCATE ON access_lines FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
CREATE TRIGGER access_streams_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON access_streams FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
CREATE TRIGGER access_anchors_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON access_anchors FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT SELECT, INSERT ON access_streams, access_lines, access_anchors TO hocba_archive;
GRANT UPDATE (body) ON access_lines TO hocba_archive;

ALTER TABLE access_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_lines FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON access_lines USING (hocba_sees(school_id, province_id));
