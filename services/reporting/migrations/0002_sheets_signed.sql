-- Which class-subject sheets a class's newest seal names, and which of them are signed: until all are, no transcript of it is.

ALTER TABLE classes ADD COLUMN signing jsonb NOT NULL DEFAULT '{}';
