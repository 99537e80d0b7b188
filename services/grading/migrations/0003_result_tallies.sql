-- Versions that the archive has withdrawn, and the version of each class's last tally of results.

CREATE TABLE withdrawn_versions (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (transcript_id, version)
);
CREATE TABLE result_tallies (
    class_id uuid PRIMARY KEY,
    version bigint NOT NULL
);
GRANT SELECT, INSERT ON withdrawn_versions TO hocba_grading;
GRANT SELECT, INSERT, UPDATE ON result_tallies TO hocba_grading;
