-- name: alone
SELECT pg_try_advisory_lock($1)

-- name: make_schema
DROP SCHEMA IF EXISTS replay CASCADE;
DROP SCHEMA IF EXISTS replaced CASCADE;
CREATE SCHEMA replay;
GRANT USAGE ON SCHEMA replay TO hocba_reporting

-- name: make_parked
-- A table of its own for what a replay can't apply, which is no matter of the service's.
CREATE TABLE replay.hocba_parked (LIKE public.hocba_parked INCLUDING ALL);
GRANT SELECT, INSERT, UPDATE ON replay.hocba_parked TO hocba_reporting

-- name: tables
SELECT tablename FROM pg_tables WHERE schemaname = 'replay' ORDER BY tablename

-- name: forget
DROP SCHEMA IF EXISTS replay CASCADE;
DROP SCHEMA IF EXISTS replaced CASCADE

-- name: parked
SELECT count(*) FROM hocba_parked
