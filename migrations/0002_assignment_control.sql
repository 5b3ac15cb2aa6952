-- 0002: mutex groups, pauses, overrides, variant payloads.
--
-- Why: a unit takes part in one experiment of a group at most; testers choose their variant; new
-- assignments can be held back; what a variant means travels with it.
-- Deploy: safe while the previous version serves (new tables, new nullable columns, which it
-- ignores). The index on assignments is built while writes to them wait: seconds for a million
-- rows.
-- Undo: DROP TABLE mutex_claims, assignment_overrides; DROP INDEX assignments_newest;
--   ALTER TABLE experiments DROP COLUMN mutex_group_id, DROP COLUMN paused_at; DROP TABLE
--   mutex_groups; ALTER TABLE variants DROP COLUMN payload; ALTER TABLE exposure_events DROP COLUMN
--   superseded_in;

CREATE TABLE mutex_groups (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  key text COLLATE "C" NOT NULL,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT mutex_groups_key UNIQUE (workspace_id, key)
);

ALTER TABLE experiments
  ADD COLUMN mutex_group_id uuid REFERENCES mutex_groups,
  ADD COLUMN paused_at timestamptz;
COMMENT ON COLUMN experiments.paused_at
  IS 'Since when new units are kept out; NULL while they are let in.';
CREATE INDEX experiments_of_mutex_group ON experiments (mutex_group_id)
  WHERE mutex_group_id IS NOT NULL;

-- Which experiment of a group has a unit. It counts while that experiment runs; afterwards any
-- other may take it over.
CREATE TABLE mutex_claims (
  group_id uuid NOT NULL REFERENCES mutex_groups ON DELETE CASCADE,
  environment_id uuid NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  experiment_id uuid NOT NULL,
  PRIMARY KEY (group_id, environment_id, unit_id)
);

CREATE TABLE assignment_overrides (
  experiment_id uuid NOT NULL REFERENCES experiments,
  unit_id text COLLATE "C" NOT NULL,
  variant_id uuid NOT NULL REFERENCES variants ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (experiment_id, unit_id)
);

ALTER TABLE variants ADD COLUMN payload json;
COMMENT ON COLUMN variants.payload
  IS 'Any JSON, as received; what assign answers beside the variant.';

ALTER TABLE exposure_events ADD COLUMN superseded_in xid8;
COMMENT ON COLUMN exposure_events.superseded_in IS 'The transaction that set superseded_at.';

CREATE INDEX assignments_newest ON assignments (experiment_id, assignment_id DESC)
  WHERE variant_id IS NOT NULL;
