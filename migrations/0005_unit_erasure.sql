-- 0005: erasure of units.
--
-- Why: a unit's data must go when somebody asks for it, also events that are still on their way from Redis.
-- Deploy: safe while the previous version serves (a new table). It drains events of erased units, so that nobody should
-- erase before all processes have this version.
-- Undo: DROP TABLE unit_erasures;

CREATE TABLE unit_erasures (
  environment_id uuid NOT NULL,
  unit_hash bytea NOT NULL,
  unit_id text COLLATE "C",
  erased_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (environment_id, unit_hash)
);
COMMENT ON COLUMN unit_erasures.unit_hash IS 'SHA-256; stays, so that the drain knows which buffered events are not stored.';
COMMENT ON COLUMN unit_erasures.unit_id IS 'NULL once its stored events are gone.';
COMMENT ON COLUMN unit_erasures.erased_at IS 'What was received before is erased; what comes later is new.';
CREATE INDEX unit_erasures_by_time ON unit_erasures (erased_at);
CREATE INDEX unit_erasures_pending ON unit_erasures (environment_id) WHERE unit_id IS NOT NULL;
