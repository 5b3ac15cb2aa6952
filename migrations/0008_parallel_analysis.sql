-- 0008: a first snapshot reads its exposures and events with two processes.
--
-- Why: PostgreSQL gives a statement that writes no worker, but a query within a function may have one.
-- Deploy: safe while the previous version serves, which calls none of these.
-- Undo: DROP FUNCTION first_exposures, first_exposures_of_part, first_values, first_values_of_part, may_have_workers;

-- The queries come from the program, which knows the rules; after their values they are given the number of their
-- part of the units, from 0, and how many parts there are. They may run in a worker: they must only read.

CREATE FUNCTION first_exposures_of_part(
  query text, experiment uuid, started timestamptz, ended timestamptz, seen timestamptz, part bigint, parts bigint)
RETURNS TABLE (
  unit_id text, variant_id uuid, epoch bigint, exposed_at timestamptz, has_several boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1e12 AS $$
BEGIN
  RETURN QUERY EXECUTE query USING experiment, started, ended, seen, part, parts;
END $$;

CREATE FUNCTION first_values_of_part(
  query text, series bigint, sample bigint, environment uuid, key text, started timestamptz, ended timestamptz,
  unseen uuid, summary text, path text, dedup_window bigint, part bigint, parts bigint)
RETURNS TABLE (
  unit_id text, variant_id uuid, epoch bigint, exposed_at timestamptz, converted boolean, amount numeric,
  events bigint, late bigint, invalid bigint, occurred timestamptz[])
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1e12 AS $$
BEGIN
  RETURN QUERY EXECUTE query
    USING series, sample, environment, key, started, ended, unseen, summary, path, dedup_window, part, parts;
END $$;

CREATE FUNCTION may_have_workers() RETURNS boolean LANGUAGE sql STABLE
RETURN least(current_setting('max_parallel_workers_per_gather')::int,
  current_setting('max_parallel_workers')::int) > 0;

-- Two parts when there is more than `many`: each reads the table whole and keeps its half.
--
-- The settings hold for the parts, too. A worker is said to be dear and a part (its COST) dearer still, so that a part
-- has one and no step within it. Tables are joined whole by hashing, since PostgreSQL takes what was just written for
-- a row or two; groups are sorted, because a hash table of so many misses the processor's caches at each event. So do
-- large hash tables of units and large sorts: with little memory both are done in pieces, in less time.

CREATE FUNCTION first_exposures(
  many bigint, query text, experiment uuid, started timestamptz, ended timestamptz, seen timestamptz)
RETURNS TABLE (
  unit_id text, variant_id uuid, epoch bigint, exposed_at timestamptz, has_several boolean)
LANGUAGE plpgsql STABLE
SET work_mem = '16MB' SET parallel_setup_cost = 1e9
SET enable_nestloop = off SET enable_mergejoin = off SET enable_hashagg = off AS $$
BEGIN
  IF may_have_workers() AND EXISTS (
    SELECT FROM exposure_events x WHERE x.experiment_id = experiment ORDER BY x.committed_in OFFSET many LIMIT 1)
  THEN
    RETURN QUERY
      SELECT * FROM first_exposures_of_part(query, experiment, started, ended, seen, 0, 2)
      UNION ALL
      SELECT * FROM first_exposures_of_part(query, experiment, started, ended, seen, 1, 2);
  ELSE
    RETURN QUERY SELECT * FROM first_exposures_of_part(query, experiment, started, ended, seen, 0, 1);
  END IF;
END $$;

CREATE FUNCTION first_values(
  many bigint, query text, series bigint, sample bigint, environment uuid, key text, started timestamptz,
  ended timestamptz, unseen uuid, summary text, path text, dedup_window bigint)
RETURNS TABLE (
  unit_id text, variant_id uuid, epoch bigint, exposed_at timestamptz, converted boolean, amount numeric,
  events bigint, late bigint, invalid bigint, occurred timestamptz[])
LANGUAGE plpgsql STABLE
SET work_mem = '16MB' SET parallel_setup_cost = 1e9
SET enable_nestloop = off SET enable_mergejoin = off SET enable_hashagg = off AS $$
BEGIN
  IF may_have_workers() AND EXISTS (
    SELECT FROM events e WHERE e.environment_id = environment AND e.event_key = key
    ORDER BY e.committed_in OFFSET many LIMIT 1)
  THEN
    RETURN QUERY
      SELECT * FROM first_values_of_part(
        query, series, sample, environment, key, started, ended, unseen, summary, path, dedup_window, 0, 2)
      UNION ALL
      SELECT * FROM first_values_of_part(
        query, series, sample, environment, key, started, ended, unseen, summary, path, dedup_window, 1, 2);
  ELSE
    RETURN QUERY
      SELECT * FROM first_values_of_part(
        query, series, sample, environment, key, started, ended, unseen, summary, path, dedup_window, 0, 1);
  END IF;
END $$;
