-- Tables that every service has in its own database: outbox, inbox, answered requests, parked records.
-- Run by the owner role hocba_<service>_owner; the run-time role is hocba_<service>.

CREATE TABLE hocba_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    event_id uuid NOT NULL,
    payload bytea NOT NULL,
    traceparent text NOT NULL,
    created_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE hocba_inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);

CREATE TABLE hocba_requests (
    request_id uuid PRIMARY KEY,
    method text NOT NULL,
    digest bytea NOT NULL,
    answer bytea NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE hocba_parked (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    event_id text NOT NULL,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz,
    outcome text,
    UNIQUE (consumer, topic, partition, "offset")
);

-- Whether the running transaction may see a row of this school in this province. Policies of all tables call it.
CREATE FUNCTION hocba_sees(school uuid, province text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE current_setting('hocba.scope', true)
    WHEN 'system' THEN true
    WHEN 'school' THEN school = ANY (string_to_array(current_setting('hocba.schools', true), ',')::uuid[])
    WHEN 'province' THEN province = current_setting('hocba.province', true)
    ELSE false
END;

-- For append-only tables: BEFORE UPDATE OR DELETE OR TRUNCATE ... EXECUTE FUNCTION hocba_append_only().
CREATE FUNCTION hocba_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

DO $$
DECLARE
    run_role text := regexp_replace(current_user, '_owner$', '');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON hocba_outbox, hocba_inbox TO %I', run_role);
    EXECUTE format('GRANT SELECT, INSERT ON hocba_requests TO %I', run_role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON hocba_parked TO %I', run_role);
END
$$;
