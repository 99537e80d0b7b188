-- name: place
SELECT class_id, school_id, province_id, grade, school_year FROM classes WHERE class_id = $1

-- name: hold_class
-- The class as the mutex of its leases, locks and unlocks.
-- locks: classes row
SELECT class_id, school_id, province_id, grade, school_year FROM classes WHERE class_id = $1 FOR NO KEY UPDATE

-- name: places
-- Every class of a scope, in one order, so that two plans never wait for each other in a ring.
-- locks: classes rows
SELECT class_id, school_id, province_id, grade, school_year FROM classes
WHERE school_year = $1
  AND ($2::text IS NULL OR province_id = $2)
  AND ($3::uuid IS NULL OR school_id = $3)
  AND ($4::uuid IS NULL OR class_id = $4)
  AND ($5::integer IS NULL OR grade = $5)
ORDER BY class_id FOR NO KEY UPDATE

-- name: schools_of
SELECT school_id FROM staff WHERE person_id = $1 AND cardinality(roles) > 0

-- name: teaches
-- Without a subject only the homeroom teacher counts.
SELECT EXISTS (
    SELECT 1 FROM staff s
    JOIN classes c ON c.school_id = s.school_id AND c.class_id = $2
    LEFT JOIN teaching t ON t.class_id = c.class_id
    WHERE s.person_id = $1
      AND (c.homeroom_staff_id = s.staff_id
           OR EXISTS (SELECT 1 FROM unnest(t.subjects, t.staff_ids) AS a(subject, staff_id)
                      WHERE $3 <> '' AND a.subject = $3 AND a.staff_id = s.staff_id)))

-- name: homeroom_classes
SELECT c.class_id FROM classes c JOIN staff s ON s.school_id = c.school_id AND s.staff_id = c.homeroom_staff_id WHERE s.person_id = $1

-- name: put_schools
INSERT INTO schools (school_id, version, province_id)
SELECT DISTINCT ON (school_id) * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS n(school_id, version, province_id)
ORDER BY school_id, version DESC
ON CONFLICT (school_id) DO UPDATE SET version = excluded.version, province_id = excluded.province_id
WHERE schools.version < excluded.version

-- name: follow_province
-- A school that came into another province takes its classes along; what was decided before stays where it was.
UPDATE classes c SET province_id = s.province_id FROM schools s
WHERE s.school_id = ANY ($1::uuid[]) AND c.school_id = s.school_id AND c.province_id <> s.province_id

-- name: put_classes
-- Only what is new or newer comes back.
INSERT INTO classes (class_id, version, school_id, province_id, school_year, grade, homeroom_staff_id)
SELECT DISTINCT ON (class_id) n.*
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::integer[], $6::integer[], $7::text[])
    AS n(class_id, version, school_id, province_id, school_year, grade, homeroom_staff_id)
ORDER BY class_id, version DESC
ON CONFLICT (class_id) DO UPDATE SET version = excluded.version, school_id = excluded.school_id, province_id = excluded.province_id,
    school_year = excluded.school_year, grade = excluded.grade, homeroom_staff_id = excluded.homeroom_staff_id
WHERE classes.version < excluded.version
RETURNING class_id, school_id, province_id, grade, school_year

-- name: put_staff
INSERT INTO staff (school_id, staff_id, version, person_id, roles)
SELECT n.school_id, n.staff_id, n.version, n.person_id, string_to_array(n.roles, ',')
FROM (SELECT DISTINCT ON (school_id, staff_id) *
      FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[]) AS u(school_id, staff_id, version, person_id, roles)
      ORDER BY school_id, staff_id, version DESC) AS n
ON CONFLICT (school_id, staff_id) DO UPDATE SET version = excluded.version, person_id = excluded.person_id, roles = excluded.roles
WHERE staff.version < excluded.version

-- name: put_teaching
INSERT INTO teaching (class_id, school_id, version, subjects, staff_ids) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (class_id) DO UPDATE SET school_id = excluded.school_id, version = excluded.version, subjects = excluded.subjects, staff_ids = excluded.staff_ids
WHERE teaching.version < excluded.version

-- name: check_late_at
UPDATE classes SET late_check_at = $2 WHERE class_id = ANY ($1::uuid[])

-- name: hurry_late_check
UPDATE classes SET late_check_at = $2 WHERE class_id = ANY ($1::uuid[]) AND late_check_at > $2

-- name: due_for_late_check
-- locks: classes rows, skipping those that another instance looks at
SELECT class_id, school_id, province_id, grade, school_year FROM classes
WHERE late_check_at <= $1 ORDER BY late_check_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED

-- name: get_window
SELECT * FROM windows WHERE window_id = $1

-- name: hold_plan
-- Everybody who sets windows of one year and term, one after the other.
-- locks: advisory, until the end of the transaction
SELECT pg_advisory_xact_lock(hashtextextended('hocba plan ' || $1::text || ' ' || $2::text, 0))

-- name: bearing_on
-- Windows that can touch a class of the scope, wider and narrower ones.
SELECT * FROM windows
WHERE school_year = $1 AND ($2::text IS NULL OR term = $2) AND NOT withdrawn
  AND ($3::text IS NULL OR province_id IS NULL OR province_id = $3)
  AND ($4::uuid IS NULL OR school_id IS NULL OR school_id = $4)

-- name: put_window
INSERT INTO windows (window_id, version, area, province_id, school_id, class_id, grade, scope_key, school_year, term,
    opens_at, closes_at, frame_opens_at, frame_closes_at, seals_year, withdrawn, announced, turns_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (window_id) DO UPDATE SET version = excluded.version, opens_at = excluded.opens_at, closes_at = excluded.closes_at,
    frame_opens_at = excluded.frame_opens_at, frame_closes_at = excluded.frame_closes_at, seals_year = excluded.seals_year,
    withdrawn = excluded.withdrawn, announced = excluded.announced, turns_at = excluded.turns_at
WHERE windows.version = excluded.version - 1

-- name: put_window_version
INSERT INTO window_versions (window_id, version, body, account_id, reason, set_at) VALUES ($1, $2, $3, $4, $5, $6)

-- name: unconfirmed_windows
-- Which of these windows have given a lease that grading hasn't confirmed.
SELECT DISTINCT given_by FROM leases WHERE given_by = ANY ($1::uuid[]) AND confirmed_version < version

-- name: due_to_turn
-- locks: windows rows, skipping those of another instance
SELECT * FROM windows WHERE turns_at <= $1 ORDER BY turns_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED

-- name: turned
UPDATE windows SET announced = $2, turns_at = $3 WHERE window_id = $1

-- name: leases_of
SELECT * FROM leases WHERE class_id = ANY ($1::uuid[]) AND term = $2

-- name: leases_of_class
SELECT * FROM leases WHERE class_id = $1 ORDER BY term

-- name: put_leases
-- Versions never go back, whoever comes late.
INSERT INTO leases (class_id, term, version, opens_at, closes_at, seals_year, state, given_by)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::boolean[], $7::text[], $8::uuid[])
ON CONFLICT (class_id, term) DO UPDATE SET version = excluded.version, opens_at = excluded.opens_at, closes_at = excluded.closes_at,
    seals_year = excluded.seals_year, state = excluded.state, given_by = excluded.given_by
WHERE leases.version <= excluded.version AND leases.state = 'OPEN'

-- name: lease_errands
INSERT INTO errands (kind, class_id, subject_id, version, due_at)
SELECT 'lease', n.class_id, n.subject_id, n.version, $5
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) AS n(class_id, subject_id, term, version)
WHERE NOT EXISTS (SELECT 1 FROM leases l WHERE l.class_id = n.class_id AND l.term = n.term AND l.confirmed_version >= n.version)
ON CONFLICT (kind, subject_id, version) DO NOTHING

-- name: claim_due_to_close
-- A lease whose closing has passed, with its class, for one lane of one instance.
-- locks: classes row, skipping those that somebody else is at work on
SELECT l.class_id, l.term FROM leases l JOIN classes c USING (class_id)
WHERE l.state = 'OPEN' AND l.closes_at <= $1 AND l.class_id <> ALL ($2::uuid[])
ORDER BY l.closes_at LIMIT 1 FOR NO KEY UPDATE OF c SKIP LOCKED

-- name: confirm_lease
UPDATE leases SET confirmed_version = $3 WHERE class_id = $1 AND term = $2 AND confirmed_version < $3

-- name: get_lock
SELECT * FROM locks WHERE lock_id = $1

-- name: latest_held
SELECT * FROM locks WHERE class_id = $1 AND period = $2 AND state = 'HELD' ORDER BY held_at DESC, class_version DESC LIMIT 1

-- name: intended_locks
SELECT * FROM locks WHERE class_id = $1 AND state = 'INTENDED' ORDER BY intended_at

-- name: intend_lock
INSERT INTO locks (lock_id, class_id, school_id, province_id, school_year, grade, period, cause, unlock_id, account_id, state, intended_at, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'INTENDED', $11, $12)

-- name: add_errand
INSERT INTO errands (kind, class_id, subject_id, version, due_at) VALUES ($1, $2, $3, $4, $5)

-- name: hold_lock
UPDATE locks SET state = 'HELD', held_at = $2, class_version = $3, class_digest = $4, outcomes = $5 WHERE lock_id = $1 AND state = 'INTENDED'

-- name: get_unlock
SELECT * FROM unlocks WHERE unlock_id = $1

-- name: hold_unlock
-- locks: unlocks row
SELECT * FROM unlocks WHERE unlock_id = $1 FOR NO KEY UPDATE

-- name: add_unlock
INSERT INTO unlocks (unlock_id, class_id, school_id, province_id, school_year, grade, term, subject, pupils, reason, evidence,
    policy, policy_version, requested_at, open_for_seconds, requester_account, requester_person, requester_role, state, version, report_number, due_at,
    reason_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, '', $21, $22)

-- name: move_unlock
UPDATE unlocks SET state = $2, version = $3, approver_account = $4, approver_person = $5, approver_role = $6,
    officer_account = $7, officer_person = $8, officer_role = $9, reported_at = $10, report_number = $11, until = $12, due_at = $13
WHERE unlock_id = $1 AND version = $3 - 1

-- name: add_step
INSERT INTO unlock_steps (unlock_id, version, school_id, province_id, verb, state, account_id, person_id, role, reason, document, moved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: resealed_as
UPDATE unlocks SET sealed_class_version = $2 WHERE unlock_id = $1

-- name: open_in
SELECT unlock_id FROM unlocks WHERE class_id = $1 AND state IN ('GRANTING', 'GRANTED', 'CORRECTED', 'EXPIRED', 'WITHDRAWN')

-- name: due_unlocks
SELECT unlock_id, class_id FROM unlocks WHERE due_at <= $1 ORDER BY due_at, unlock_id LIMIT $2

-- name: put_off_unlock
UPDATE unlocks SET due_at = $2 WHERE unlock_id = $1

-- name: steps_of
SELECT * FROM unlock_steps WHERE unlock_id = ANY ($1::uuid[]) ORDER BY unlock_id, version

-- name: list_unlocks
SELECT * FROM unlocks
WHERE ($1::uuid IS NULL OR school_id = $1) AND ($2::text = '' OR province_id = $2)
  AND ($3::uuid IS NULL OR class_id = $3) AND ($4::text = '' OR state = $4)
ORDER BY requested_at DESC LIMIT $5

-- name: newest_policy
-- A province's own word goes before the nation's.
SELECT * FROM policies WHERE province_id IN ($1, '') ORDER BY (province_id = $1) DESC, version DESC LIMIT 1

-- name: hold_policies
-- locks: advisory, until the end of the transaction
SELECT pg_advisory_xact_lock(hashtextextended('hocba policy ' || $1::text, 0))

-- name: next_policy_version
SELECT coalesce(max(version), 0) + 1 FROM policies WHERE province_id = $1

-- name: put_policy
INSERT INTO policies (province_id, version, data, account_id, set_at) VALUES ($1, $2, $3, $4, $5)

-- name: claim_errand
-- The oldest due errand that may run now.
-- locks: errands row, skipping those of another instance
SELECT e.errand_id, e.kind, e.class_id, e.subject_id, e.version, e.attempts FROM errands e
WHERE e.due_at <= $1
  AND (e.kind <> 'seal' OR (
      NOT EXISTS (SELECT 1 FROM errands o WHERE o.class_id = e.class_id AND o.kind = 'seal' AND o.errand_id < e.errand_id
                  AND NOT EXISTS (SELECT 1 FROM locks x WHERE x.lock_id = e.subject_id AND x.unlock_id IS NOT NULL))
      AND NOT EXISTS (SELECT 1 FROM unlocks u JOIN locks l ON l.lock_id = e.subject_id
                      WHERE u.class_id = e.class_id AND u.state IN ('GRANTING', 'GRANTED', 'CORRECTED', 'EXPIRED', 'WITHDRAWN')
                        AND u.unlock_id IS DISTINCT FROM l.unlock_id)))
ORDER BY e.due_at, e.errand_id LIMIT 1 FOR NO KEY UPDATE OF e SKIP LOCKED

-- name: recall_errands
-- Nothing is put off for as long as this, unless under a clock that has since gone back.
UPDATE errands SET due_at = $1 WHERE due_at > $1::timestamptz + interval '2 minutes'

-- name: errand_done
DELETE FROM errands WHERE errand_id = $1

-- name: postpone_errand
UPDATE errands SET attempts = attempts + 1, due_at = $2, last_error = $3 WHERE errand_id = $1

-- name: errands_state
-- What waits to be said, since how many attempts: the alert of the two-sided writes.
SELECT kind, count(*) AS waiting, max(attempts) AS attempts, min(due_at) AS oldest FROM errands GROUP BY kind

-- name: audit_head
-- locks: audit_heads row
SELECT number, hash FROM audit_head($1)

-- name: add_audit_line
INSERT INTO audit_lines (stream, number, body, hash, school_id, province_id) VALUES ($1, $2, $3, $4, $5, $6)

-- name: read_audit_lines
-- The whole trail, to be streamed through domain.audit.faults.
SELECT stream, number, body, hash FROM audit_chain

-- name: read_audit_heads
SELECT stream, number, hash FROM audit_heads

-- name: unlocks_without_two_people
-- Invariant I6, separation of duties: every opening was confirmed by somebody else, and before it.
SELECT unlock_id FROM unlocks
WHERE state IN ('GRANTING', 'GRANTED', 'CORRECTED', 'EXPIRED', 'WITHDRAWN', 'RESEALED')
  AND (approver_person IS NULL OR approver_person = requester_person OR approver_account = requester_account
       OR NOT EXISTS (SELECT 1 FROM unlock_steps s WHERE s.unlock_id = unlocks.unlock_id AND s.verb = 'confirm' AND s.person_id = approver_person))

-- name: openings_without_reseal
-- Invariant I6, the other half: what was opened and is over has a lock that was held after it.
SELECT u.unlock_id FROM unlocks u
WHERE u.state = 'RESEALED' AND NOT EXISTS (SELECT 1 FROM locks l WHERE l.unlock_id = u.unlock_id AND l.state = 'HELD' AND l.class_version = u.sealed_class_version)

-- name: database_clock
SELECT clock_timestamp()
