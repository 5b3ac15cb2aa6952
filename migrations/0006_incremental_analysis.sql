-- 0006: what a snapshot brings forward from the last one.
--
-- Why: a snapshot's cost follows what happened since the last one, not the history. Amounts, and in which direction a
-- metric is better, are kept too.
-- Deploy: safe while the previous version serves (new tables, columns with defaults, triggers that write to the new
-- tables). Events wait in Redis while their index is built: seconds for a million.
-- Undo: DROP TRIGGER tell_analysis ON exposure_events; DROP FUNCTION tell_analysis, measured_number,
--   count_outside_windows; DROP TABLE analysis_series, sample_units, unit_values, unit_sums, changed_units;
--   DROP INDEX events_by_commit, exposure_events_by_commit;
--   ALTER TABLE metrics DROP COLUMN desired_direction; ALTER TABLE analysis_snapshots DROP COLUMN running_p;

ALTER TABLE metrics ADD COLUMN desired_direction text NOT NULL DEFAULT 'increase'
  CHECK (desired_direction IN ('increase', 'decrease'));

ALTER TABLE analysis_snapshots ADD COLUMN running_p jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN analysis_snapshots.running_p IS
  'The p-value process of the sequential methods so far, by variant key; empty for the posterior rule.';

-- What became visible since a snapshot. Equal keys, those of one transaction, share an entry.
CREATE INDEX events_by_commit ON events (environment_id, event_key, committed_in);
CREATE INDEX exposure_events_by_commit ON exposure_events (experiment_id, committed_in);

-- The rest can be computed again from exposures and events, so it is not written to the log: after a crash of
-- PostgreSQL all of it is empty together, and the next snapshot begins anew.

CREATE UNLOGGED TABLE analysis_series (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  experiment_id uuid NOT NULL,
  subject_id uuid NOT NULL,
  run bigint NOT NULL,
  visible pg_snapshot NOT NULL,
  as_of timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  newest_event_id uuid,
  UNIQUE (experiment_id, subject_id)
);
COMMENT ON COLUMN analysis_series.subject_id IS 'A metric, or the experiment itself: its sample of units.';
COMMENT ON COLUMN analysis_series.run IS 'How many snapshots have been brought forward; one that a metric missed breaks its series.';
COMMENT ON COLUMN analysis_series.newest_event_id IS 'Of all events that the snapshot could see.';

CREATE UNLOGGED TABLE sample_units (
  series_id bigint NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  variant_id uuid NOT NULL,
  epoch bigint NOT NULL,
  exposed_at timestamptz NOT NULL,
  has_several boolean NOT NULL,
  run bigint NOT NULL,
  PRIMARY KEY (series_id, unit_id)
);
COMMENT ON COLUMN sample_units.has_several IS 'It was exposed to more than one variant; the first counts.';
COMMENT ON COLUMN sample_units.run IS 'In which its variant, epoch or exposure last changed: its events are then read anew.';

CREATE UNLOGGED TABLE unit_values (
  series_id bigint NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  converted boolean NOT NULL,
  amount numeric NOT NULL,
  events bigint NOT NULL,
  late bigint NOT NULL,
  invalid bigint NOT NULL,
  occurred timestamptz[],
  PRIMARY KEY (series_id, unit_id)
) WITH (fillfactor = 85);
COMMENT ON COLUMN unit_values.occurred IS 'Times of the valid events, of metrics whose windows may move when a late one comes.';

-- Exact, so that taking away what was added leaves nothing.
CREATE UNLOGGED TABLE unit_sums (
  series_id bigint NOT NULL,
  variant_id uuid NOT NULL,
  epoch bigint NOT NULL,
  units bigint NOT NULL,
  several bigint NOT NULL,
  converted bigint NOT NULL,
  late bigint NOT NULL,
  invalid bigint NOT NULL,
  amount numeric NOT NULL,
  amount_squares numeric NOT NULL,
  events numeric NOT NULL,
  event_squares numeric NOT NULL,
  products numeric NOT NULL,
  PRIMARY KEY (series_id, variant_id, epoch)
);

CREATE UNLOGGED TABLE changed_units (
  experiment_id uuid NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  is_erased boolean NOT NULL
);
COMMENT ON TABLE changed_units IS 'Units whose exposures were superseded or erased, until the analysis has looked at them.';
CREATE INDEX changed_units_of_experiment ON changed_units (experiment_id);

CREATE FUNCTION tell_analysis() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO changed_units VALUES (OLD.experiment_id, OLD.unit_id, TG_OP = 'DELETE');
  RETURN NULL;
END $$;
CREATE TRIGGER tell_analysis AFTER UPDATE OR DELETE ON exposure_events FOR EACH ROW EXECUTE FUNCTION tell_analysis();

-- A JSON number such that its square, and the sum of squares of a billion, is still a double; decimals beyond the
-- sixtieth are none. NULL for any other value.
CREATE FUNCTION measured_number(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'number' AND abs(value::numeric) < 1e60
  THEN CASE WHEN scale(value::numeric) <= 20 THEN value::numeric ELSE round(value::numeric, 60) END END;

-- Events that no window of an accepted one before them holds. The times ascend.
CREATE FUNCTION count_outside_windows(times timestamptz[], length interval) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
  accepted bigint := 0;
  open_until timestamptz := '-infinity';
  moment timestamptz;
BEGIN
  FOREACH moment IN ARRAY times LOOP
    CONTINUE WHEN moment < open_until;
    accepted := accepted + 1;
    open_until := moment + length;
  END LOOP;
  RETURN accepted;
END $$;
