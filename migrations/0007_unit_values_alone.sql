-- 0007: a unit's value is brought forward by one look-up.
--
-- Why: each new event looked its unit up in the sample, then among the values, then once more to update it. With what
-- the sample says of the unit beside its value, the update itself is the look-up.
-- Deploy: safe while the previous version serves (new columns, which it leaves empty; the two begin each other's values
-- anew). Waits for a snapshot that is being computed. Each experiment's next snapshot begins from nothing.
-- Undo: ALTER TABLE unit_values DROP COLUMN variant_id, DROP COLUMN epoch, DROP COLUMN exposed_at,
--   DROP COLUMN amount_before;

ALTER TABLE unit_values ADD COLUMN variant_id uuid, ADD COLUMN epoch bigint, ADD COLUMN exposed_at timestamptz,
  ADD COLUMN amount_before numeric;
COMMENT ON COLUMN unit_values.variant_id IS 'As in the sample, like epoch and exposed_at: a change there drops the value.';
COMMENT ON COLUMN unit_values.amount_before IS 'What the last change of the amount began from.';
