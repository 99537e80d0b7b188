-- name: find_halt
SELECT manifests_halted, already_announced FROM halt WHERE unlock_id = $1

-- name: keep_halt
INSERT INTO halt (unlock_id, class_id, manifests_halted, already_announced, halted_at) VALUES ($1, $2, $3, $4, $5)
