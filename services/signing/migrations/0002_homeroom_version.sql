-- Which version of enrollment's facts named the homeroom teacher, so that an old event that comes again changes nothing.

ALTER TABLE school_class ADD COLUMN homeroom_version bigint NOT NULL DEFAULT 0;
