// The statements of `AssignmentStore`.
extension AssignmentStore {
  /// Decides what most wishes get: those without a mutex group whose unit was never vacated. Stores
  /// them without looking for a conflict first, at half the cost; somebody else's row of the same
  /// moment is a violation of the primary key, and nothing is stored.
  ///
  /// Answers the time of all that it stored, and of the wishes those only that got something else
  /// than they wished: sending each row back took a tenth of the statement's time. Overrides are
  /// looked for unit by unit only where an experiment has any.
  static let decideFirst = Statement(
    name: "assignment_decide_first",
    sql: """
      WITH seen AS (
        SELECT wish.*, a.assignment_id AS stored_id, a.variant_id AS stored_variant_id,
          a.reason AS stored_reason, a.generation AS stored_generation,
          a.exposure_logged_at AS stored_exposure, o.variant_id AS forced_id
        FROM (
          SELECT experiment_id, unit_id COLLATE "C" AS unit_id, assignment_id, variant_id, epoch,
            exposes, takes_part
          FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[],
            $6::boolean[], $7::boolean[])
            AS wish (experiment_id, unit_id, assignment_id, variant_id, epoch, exposes,
              takes_part)) wish
        LEFT JOIN LATERAL (
          SELECT * FROM assignments
          WHERE experiment_id = wish.experiment_id AND unit_id = wish.unit_id OFFSET 0) a ON true
        LEFT JOIN LATERAL (
          SELECT variant_id FROM assignment_overrides
          WHERE (
              SELECT EXISTS (
                SELECT FROM assignment_overrides WHERE experiment_id = ANY ($1::uuid[])))
            AND experiment_id = wish.experiment_id AND unit_id = wish.unit_id
          OFFSET 0) o ON true),
      fresh AS (
        SELECT experiment_id, unit_id, assignment_id,
          coalesce(forced_id, variant_id) AS variant_id,
          CASE WHEN forced_id IS NULL THEN 'bucketed' ELSE 'forced' END AS reason, epoch,
          CASE WHEN exposes THEN now() END AS exposure_logged_at
        FROM seen
        WHERE stored_id IS NULL AND (takes_part OR forced_id IS NOT NULL)),
      stored AS (
        INSERT INTO assignments
          (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch,
           exposure_logged_at)
        SELECT experiment_id, unit_id, assignment_id, variant_id, reason, 1, epoch,
          exposure_logged_at
        FROM fresh),
      exposed AS (
        INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id)
        SELECT assignment_id, experiment_id, unit_id, 1, variant_id
        FROM fresh WHERE exposure_logged_at IS NOT NULL)
      SELECT NULL::uuid AS experiment_id, NULL AS unit_id, NULL::uuid AS assignment_id,
        NULL::uuid AS variant_id, 'bucketed' AS reason, 1::bigint AS generation,
        now() AS exposure_logged_at, 0::bigint AS verdict
      UNION ALL
      SELECT experiment_id, unit_id, stored_id, stored_variant_id, stored_reason,
        stored_generation, stored_exposure, 0
      FROM seen WHERE stored_id IS NOT NULL
      UNION ALL
      SELECT experiment_id, unit_id, assignment_id, variant_id, reason, 1, exposure_logged_at, 0
      FROM fresh WHERE reason = 'forced'
      UNION ALL
      SELECT experiment_id, unit_id, assignment_id, NULL, 'bucketed', 1, NULL, 2
      FROM seen WHERE stored_id IS NULL AND NOT takes_part AND forced_id IS NULL
      """)

  /// Decides what each wish gets: the row that is there; else a claim where there is a mutex group,
  /// the row and its exposure. Answers every wish but those that somebody else decided at the same
  /// moment; asked again, they are found.
  ///
  /// Claims come before rows, and each in one order, so that two processes wait for each other
  /// instead of dying. The look-ups are LATERAL with OFFSET 0 so that they use the index even while
  /// PostgreSQL takes the tables for empty. A claim is taken over only from an experiment that has
  /// stopped: that is final, where "does not run" might only be what this statement does not see
  /// yet.
  static let decide = Statement(
    name: "assignment_decide",
    sql: """
      WITH wish AS (
        SELECT experiment_id, unit_id COLLATE "C" AS unit_id, assignment_id, variant_id,
          generation, epoch, exposes, takes_part, environment_id, group_id, rank
        FROM unnest(
          $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[],
          $7::boolean[], $8::boolean[], $9::uuid[], $10::uuid[], $11::bigint[])
          AS wish (experiment_id, unit_id, assignment_id, variant_id, generation, epoch,
            exposes, takes_part, environment_id, group_id, rank)),
      seen AS (
        SELECT wish.*, a.assignment_id AS stored_id, a.variant_id AS stored_variant_id,
          a.reason AS stored_reason, a.generation AS stored_generation,
          a.exposure_logged_at AS stored_exposure
        FROM wish LEFT JOIN LATERAL (
          SELECT * FROM assignments
          WHERE experiment_id = wish.experiment_id AND unit_id = wish.unit_id OFFSET 0) a ON true),
      fresh AS (
        SELECT seen.*, o.variant_id AS forced_id, holder.id AS holder_id
        FROM seen
        LEFT JOIN LATERAL (
          SELECT variant_id FROM assignment_overrides
          WHERE experiment_id = seen.experiment_id AND unit_id = seen.unit_id OFFSET 0) o ON true
        LEFT JOIN LATERAL (
          SELECT e.id FROM mutex_claims c JOIN experiments e ON e.id = c.experiment_id
          WHERE c.group_id = seen.group_id AND c.environment_id = seen.environment_id
            AND c.unit_id = seen.unit_id AND e.status NOT IN ('stopped', 'archived')
          OFFSET 0) holder ON true
        WHERE stored_id IS NULL OR stored_variant_id IS NULL AND stored_generation = generation),
      claimed AS (
        INSERT INTO mutex_claims AS c (group_id, environment_id, unit_id, experiment_id)
        SELECT DISTINCT ON (group_id, environment_id, unit_id)
          group_id, environment_id, unit_id, experiment_id
        FROM fresh
        WHERE group_id IS NOT NULL AND takes_part AND forced_id IS NULL
          AND (holder_id IS NULL OR holder_id = experiment_id)
        ORDER BY group_id, environment_id, unit_id, rank
        ON CONFLICT (group_id, environment_id, unit_id) DO UPDATE SET
          experiment_id = excluded.experiment_id
        WHERE c.experiment_id = excluded.experiment_id OR (
          SELECT status IN ('stopped', 'archived') FROM experiments WHERE id = c.experiment_id)
        RETURNING group_id, environment_id, unit_id, experiment_id),
      stored AS (
        INSERT INTO assignments AS a
          (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch,
           exposure_logged_at)
        SELECT experiment_id, unit_id, assignment_id, coalesce(forced_id, variant_id),
          CASE WHEN forced_id IS NULL THEN 'bucketed' ELSE 'forced' END, generation, epoch,
          CASE WHEN exposes THEN now() END
        FROM fresh
        WHERE forced_id IS NOT NULL OR takes_part AND (group_id IS NULL
          OR (group_id, environment_id, unit_id, experiment_id) IN (
            SELECT group_id, environment_id, unit_id, experiment_id FROM claimed))
        ORDER BY experiment_id, unit_id
        ON CONFLICT (experiment_id, unit_id) DO UPDATE SET
          assignment_id = excluded.assignment_id, variant_id = excluded.variant_id,
          reason = excluded.reason, epoch = excluded.epoch, assigned_at = now(),
          exposure_logged_at = excluded.exposure_logged_at
        WHERE a.variant_id IS NULL AND a.generation = excluded.generation
        RETURNING \(columns)),
      exposed AS (
        INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id)
        SELECT assignment_id, experiment_id, unit_id, generation, variant_id
        FROM stored WHERE exposure_logged_at IS NOT NULL
        ON CONFLICT DO NOTHING)
      SELECT \(columns), 0::bigint AS verdict FROM stored
      UNION ALL
      SELECT experiment_id, unit_id, stored_id, stored_variant_id, stored_reason,
        stored_generation, stored_exposure, 0
      FROM seen WHERE stored_variant_id IS NOT NULL OR stored_generation <> generation
      UNION ALL
      SELECT experiment_id, unit_id, assignment_id, NULL, 'bucketed', generation, NULL,
        CASE WHEN takes_part THEN 1 ELSE 2 END
      FROM fresh
      WHERE forced_id IS NULL AND (NOT takes_part OR holder_id <> experiment_id OR EXISTS (
        SELECT FROM claimed c
        WHERE c.group_id = fresh.group_id AND c.environment_id = fresh.environment_id
          AND c.unit_id = fresh.unit_id AND c.experiment_id <> fresh.experiment_id))
      """)

  private static let columns =
    "experiment_id, unit_id, assignment_id, variant_id, reason, generation, exposure_logged_at"

  static let releaseClaim = Statement(
    name: "assignment_release_claim",
    sql: """
      DELETE FROM mutex_claims c
      WHERE c.group_id = $4 AND c.environment_id = $3 AND c.unit_id = $2 AND c.experiment_id = $1
        AND EXISTS (SELECT FROM assignments a
          WHERE a.experiment_id = $1 AND a.unit_id = $2 AND a.reason = 'forced'
            AND a.variant_id IS NOT NULL)
      """)
}
