-- What checks of log and store have found and when, so that one that wasn't made for long is noticed.

CREATE TABLE log_checks (
    check_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    documents boolean NOT NULL,
    faults integer NOT NULL CHECK (faults >= 0),
    ended_at timestamptz NOT NULL
);
CREATE TRIGGER log_checks_are_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checks FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT SELECT, INSERT ON log_checks TO hocba_archive;
