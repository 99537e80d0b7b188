-- Enrollment may name a class's homeroom teacher before grading has sealed it, so the fact can't wait for the class's row.

CREATE TABLE homeroom (
    class_id uuid PRIMARY KEY,
    staff_id uuid,
    version bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON homeroom TO hocba_signing;
