-- 0001: the tables of the first complete experiment.
--
-- Why: workspaces, keys, experiments, assignments, exposures, events, snapshots and the audit log.
-- Deploy: an empty database.
-- Undo: DROP SCHEMA public CASCADE; CREATE SCHEMA public;
--
-- Ids are ULIDs kept in `uuid` columns: 16 bytes, ordered by time. Whole numbers are bigint. Text that is compared or
-- hashed is COLLATE "C": byte by byte, the same in every process and in the database.

-- The time within a ULID: its first 48 bits, in milliseconds since 1970. Of immutable parts only, because PostgreSQL
-- then writes it into the query instead of calling it for every event.
CREATE FUNCTION ulid_time(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN to_timestamp(('x' || left(translate(id::text, '-', ''), 12))::bit(48)::bigint / 1000::double precision);

-- The smallest ULID of an instant: `id < ulid_floor(t)` is "made before t" on the index.
CREATE FUNCTION ulid_floor(instant timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN (lpad(to_hex(floor(extract(epoch FROM instant) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

CREATE TABLE workspaces (
  id uuid PRIMARY KEY,
  slug text COLLATE "C" NOT NULL UNIQUE,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE environments (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  slug text COLLATE "C" NOT NULL,
  name text NOT NULL,
  shard bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT environments_slug UNIQUE (workspace_id, slug),
  CONSTRAINT environments_slug_reserved CHECK (slug <> 'all')
);
COMMENT ON COLUMN environments.shard IS 'Hash tag of the Redis keys of its events; fixed for life.';

CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  environment_id uuid REFERENCES environments,
  kind text NOT NULL CHECK (kind IN ('server', 'client')),
  name text NOT NULL,
  prefix text NOT NULL,
  last_four text NOT NULL,
  lookup_hash bytea NOT NULL UNIQUE,
  argon2id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);
COMMENT ON COLUMN api_keys.lookup_hash IS 'HMAC-SHA256 of the key under the pepper, which is never in the database.';

CREATE TABLE metrics (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  key text COLLATE "C" NOT NULL,
  name text NOT NULL,
  event_key text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('binary', 'count', 'revenue', 'duration')),
  aggregation text NOT NULL CHECK (aggregation IN ('sum', 'mean', 'count')),
  unit_dedup_window text NOT NULL,
  property_path text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT metrics_key UNIQUE (workspace_id, key)
);

CREATE TABLE experiments (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  environment_id uuid NOT NULL REFERENCES environments,
  key text COLLATE "C" NOT NULL,
  name text NOT NULL,
  hypothesis text NOT NULL,
  unit_type text NOT NULL,
  unit_attribute text,
  assignment_mode text NOT NULL CHECK (assignment_mode IN ('managed', 'external')),
  status text NOT NULL CHECK (status IN ('draft', 'running', 'stopped', 'archived')),
  method text NOT NULL,
  posterior_threshold double precision NOT NULL,
  minimum_detectable_effect double precision NOT NULL,
  min_sample_per_variant bigint NOT NULL,
  max_duration_days bigint NOT NULL,
  snapshot_cadence_minutes bigint NOT NULL,
  primary_metric_id uuid REFERENCES metrics,
  started_at timestamptz,
  stopped_at timestamptz,
  stop_reason text,
  outcome_notes text,
  peek_count bigint NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT experiments_key UNIQUE (environment_id, key)
);
COMMENT ON COLUMN experiments.version IS 'Raised by every change of the definition; the ETag.';

CREATE TABLE variants (
  id uuid PRIMARY KEY,
  experiment_id uuid NOT NULL REFERENCES experiments,
  position bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  weight bigint NOT NULL CHECK (weight BETWEEN 0 AND 100),
  description text NOT NULL,
  is_control boolean NOT NULL,
  CONSTRAINT variants_key UNIQUE (experiment_id, key)
);

CREATE TABLE guardrail_metrics (
  experiment_id uuid NOT NULL REFERENCES experiments,
  position bigint NOT NULL,
  metric_id uuid NOT NULL REFERENCES metrics,
  PRIMARY KEY (experiment_id, position)
);

CREATE TABLE weight_epochs (
  experiment_id uuid NOT NULL REFERENCES experiments,
  epoch bigint NOT NULL,
  began_at timestamptz NOT NULL DEFAULT now(),
  allocation jsonb NOT NULL,
  PRIMARY KEY (experiment_id, epoch)
);
COMMENT ON COLUMN weight_epochs.allocation IS
  '[{"variant": id, "weight": percent, "slots": [[start, end), …]}] in the order of the variants, 10,000 slots.';

CREATE TABLE assignments (
  experiment_id uuid NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  assignment_id uuid NOT NULL,
  variant_id uuid,
  reason text NOT NULL CHECK (reason IN ('bucketed', 'forced')),
  generation bigint NOT NULL,
  epoch bigint NOT NULL,
  assigned_at timestamptz NOT NULL DEFAULT now(),
  exposure_logged_at timestamptz,
  PRIMARY KEY (experiment_id, unit_id)
);
COMMENT ON COLUMN assignments.variant_id IS 'NULL: vacated by a re-bucketing, no assignment until the unit is hashed again.';

CREATE TABLE exposure_events (
  id uuid NOT NULL,
  experiment_id uuid NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  generation bigint NOT NULL,
  variant_id uuid NOT NULL,
  exposed_at timestamptz NOT NULL DEFAULT now(),
  superseded_at timestamptz,
  committed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (experiment_id, unit_id, generation, variant_id)
);

CREATE TABLE events (
  event_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  event_key text COLLATE "C" NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  occurred_at timestamptz NOT NULL,
  properties jsonb,
  client_event_id text COLLATE "C",
  late boolean NOT NULL,
  committed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (event_id)
) PARTITION BY RANGE (event_id);
COMMENT ON COLUMN events.event_id IS 'Made by the server before the event is accepted; its time is received_at.';
-- The months of use have partitions of their own, made ahead; this one keeps an event of any other time from being refused.
CREATE TABLE events_other PARTITION OF events DEFAULT;
CREATE INDEX events_by_key ON events (environment_id, event_key, occurred_at);

CREATE TABLE drained_chunks (
  chunk_id uuid PRIMARY KEY,
  event_count bigint NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rejected_events (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  chunk_id uuid NOT NULL,
  entry bytea NOT NULL,
  reason text NOT NULL,
  set_aside_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rejected_events IS 'Accepted events that the database refused: set aside with the reason, never dropped.';

CREATE TABLE analysis_snapshots (
  id uuid PRIMARY KEY,
  experiment_id uuid NOT NULL REFERENCES experiments,
  computed_at timestamptz NOT NULL,
  on_demand boolean NOT NULL,
  sequential_srm_p double precision NOT NULL,
  inputs jsonb NOT NULL,
  result json NOT NULL,
  visible pg_snapshot NOT NULL DEFAULT pg_current_snapshot()
);
COMMENT ON COLUMN analysis_snapshots.inputs IS 'All that the numbers were computed from, so that they can be computed again.';
COMMENT ON COLUMN analysis_snapshots.result IS 'The snapshot as the API answers it, bytes as written.';
CREATE INDEX analysis_snapshots_latest ON analysis_snapshots (experiment_id, id DESC);
CREATE INDEX analysis_snapshots_least_p ON analysis_snapshots (experiment_id, sequential_srm_p);

CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  environment_id uuid,
  actor_id uuid,
  action text NOT NULL,
  target_type text NOT NULL,
  target_id text NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN audit_log.actor_id IS 'The API key that asked; NULL for the operator''s own commands.';
CREATE INDEX audit_log_of_workspace ON audit_log (workspace_id, id DESC);

-- Every process keeps the catalogue in memory and hears of changes here: "experiments:<id>".
CREATE FUNCTION tell_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('catalogue', TG_TABLE_NAME || ':' || NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER tell_catalogue AFTER INSERT OR UPDATE ON environments FOR EACH ROW EXECUTE FUNCTION tell_catalogue();
CREATE TRIGGER tell_catalogue AFTER INSERT OR UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION tell_catalogue();
CREATE TRIGGER tell_catalogue AFTER INSERT OR UPDATE OF version ON experiments FOR EACH ROW
  EXECUTE FUNCTION tell_catalogue();
