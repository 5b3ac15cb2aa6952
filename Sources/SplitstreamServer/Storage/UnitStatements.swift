/// The rules of attribution as SQL: from exposures and events to units, from units to sums.
/// `Attribution` says the same in memory, and the tests hold one against the other.
///
/// Both statements bring a series forward from `pg_snapshot` $visible, or make it from nothing when
/// that is NULL. They are planned anew each time with their values known, so a branch that does not
/// apply costs nothing.
enum UnitStatements {
  /// How a unit's events become its amount.
  enum Summary: String, CaseIterable {
    /// 1 after any event that is not zero.
    case binary
    /// The number of events.
    case count
    /// The number of events outside the windows that accepted ones open.
    case windows
    /// The sum of their values; for `mean` beside their number.
    case sum

    init(_ metric: MetricDefinition) {
      switch (metric.kind, metric.aggregation) {
      case (.binary, _): self = .binary
      case (_, .count): self = windowMicroseconds(metric) == 0 ? .count : .windows
      case (_, .sum), (_, .mean): self = .sum
      }
    }

    /// What is read of an event; nil when it counts by itself.
    func path(_ metric: MetricDefinition) -> PropertyPath? {
      metric.propertyPath ?? (self == .sum ? .value : nil)
    }
  }

  /// At most ten years, which is longer than an experiment: PostgreSQL's times end earlier than
  /// ours.
  static func windowMicroseconds(_ metric: MetricDefinition) -> Int {
    let longest = 3650 * 86_400 * 1_000_000
    return min(ISODuration(metric.unitDedupWindow)?.microseconds ?? 0, longest)
  }

  /// Which unit counts for what: its earliest usable exposure decides. Answers the earliest
  /// exposure of a unit that is new, or counts differently now; such a unit's values are dropped
  /// here and read anew by `bringValues`.
  ///
  /// `$1` experiment, `$2` start, `$3` end, `$4` as of, `$5` series, `$6` run, `$7` visible, `$8`
  /// the series of values.
  static let bringSample = Statement(
    name: "units_bring_sample",
    sql: """
      WITH told AS (DELETE FROM changed_units WHERE experiment_id = $1 RETURNING unit_id),
      touched AS (
        SELECT unit_id FROM told
        UNION
        SELECT unit_id FROM exposure_events
        WHERE experiment_id = $1
          AND ($7::text IS NULL OR committed_in >= pg_snapshot_xmin($7::text::pg_snapshot)
            AND NOT pg_visible_in_snapshot(committed_in, $7::text::pg_snapshot))),
      usable AS (
        SELECT unit_id, x.variant_id, x.exposed_at, x.id, coalesce(a.epoch, 1) AS epoch
        FROM touched JOIN exposure_events x USING (unit_id) LEFT JOIN assignments a USING (experiment_id, unit_id)
        WHERE x.experiment_id = $1 AND x.exposed_at >= $2 AND x.exposed_at <= $3
          AND (x.superseded_at IS NULL OR x.superseded_at > $4)
          AND x.variant_id IN (SELECT id FROM variants WHERE experiment_id = $1)
          -- One that was logged while its unit was re-bucketed is of a generation that is gone.
          AND (x.superseded_at > $4 OR x.generation >= coalesce(a.generation, 1))
          AND a.reason IS DISTINCT FROM 'forced'),
      first AS (
        SELECT DISTINCT ON (unit_id) unit_id, variant_id, epoch, exposed_at
        FROM usable ORDER BY unit_id, exposed_at, id),
      multiple AS (SELECT unit_id FROM usable GROUP BY unit_id HAVING count(DISTINCT variant_id) > 1),
      moved AS (
        SELECT touched.unit_id, s.variant_id AS old_variant_id, s.epoch AS old_epoch, s.has_several AS had_several,
          s.run, first.variant_id, first.epoch, first.exposed_at, multiple.unit_id IS NOT NULL AS has_several,
          (s.variant_id, s.epoch, s.exposed_at)
            IS DISTINCT FROM (first.variant_id, first.epoch, first.exposed_at) AS is_new
        FROM touched
        LEFT JOIN first USING (unit_id)
        LEFT JOIN multiple USING (unit_id)
        LEFT JOIN sample_units s ON s.series_id = $5 AND s.unit_id = touched.unit_id
        WHERE (s.variant_id, s.epoch, s.exposed_at, coalesce(s.has_several, false)) IS DISTINCT FROM
          (first.variant_id, first.epoch, first.exposed_at, multiple.unit_id IS NOT NULL)),
      gone AS (
        DELETE FROM sample_units s USING moved m
        WHERE s.series_id = $5 AND s.unit_id = m.unit_id AND m.variant_id IS NULL),
      stored AS (
        INSERT INTO sample_units (series_id, unit_id, variant_id, epoch, exposed_at, has_several, run)
        SELECT $5, unit_id, variant_id, epoch, exposed_at, has_several, CASE WHEN is_new THEN $6 ELSE run END
        FROM moved WHERE variant_id IS NOT NULL
        ON CONFLICT (series_id, unit_id) DO UPDATE SET variant_id = excluded.variant_id, epoch = excluded.epoch,
          exposed_at = excluded.exposed_at, has_several = excluded.has_several, run = excluded.run),
      dropped AS (
        DELETE FROM unit_values v USING moved m
        WHERE v.series_id = ANY ($8::bigint[]) AND v.unit_id = m.unit_id AND m.is_new
          AND m.old_variant_id IS NOT NULL
        RETURNING v.*, m.old_variant_id, m.old_epoch),
      -- Only a clock that was set back makes them; the next snapshot looks at them again.
      ahead AS (
        INSERT INTO changed_units (experiment_id, unit_id, is_erased)
        SELECT DISTINCT $1, unit_id, false FROM touched JOIN exposure_events x USING (unit_id)
        WHERE x.experiment_id = $1 AND (x.exposed_at > $4 OR x.superseded_at > $4)),
      change AS (
        SELECT $5::bigint AS series_id, variant_id, epoch, 1 AS units, has_several::int AS several,
          0 AS converted, 0::bigint AS late, 0::bigint AS invalid, 0::numeric AS amount,
          0::numeric AS amount_squares, 0::numeric AS events, 0::numeric AS event_squares,
          0::numeric AS products
        FROM moved WHERE variant_id IS NOT NULL
        UNION ALL
        SELECT $5, old_variant_id, old_epoch, -1, -had_several::int, 0, 0, 0, 0, 0, 0, 0, 0
        FROM moved WHERE old_variant_id IS NOT NULL
        UNION ALL
        SELECT series_id, old_variant_id, old_epoch, 0, 0, -converted::int, -late, -invalid, -amount,
          -amount * amount, -events, -events::numeric * events, -amount * events
        FROM dropped),
      summed AS (
        \(addSums)
        SELECT series_id, variant_id, epoch, sum(units), sum(several), sum(converted), sum(late), sum(invalid),
          sum(amount), sum(amount_squares), sum(events), sum(event_squares), sum(products)
        FROM change GROUP BY series_id, variant_id, epoch
        \(orAddToSums))
      SELECT min(exposed_at) FROM moved WHERE is_new
      """)

  /// Every unit's value of one metric. An event counts from its unit's first exposure to the end,
  /// if it had been received by then and no more than 30 days after it occurred. It is new to the
  /// series if it was not visible then, or lay beyond that snapshot's time, or if its unit is new.
  ///
  /// `$1` series, `$2` series of the sample, `$3` environment, `$4` event key, `$5` start, `$6`
  /// end, `$7` the first event id after as-of; of the snapshot before: `$8` visible, `$9` end,
  /// `$10` the first event id after as-of, `$11` the newest; `$12` since when events may be new,
  /// `$13` run, `$14` summary, `$15` path, `$16` window.
  static let bringValues = Statement(
    name: "units_bring_values",
    sql: """
      WITH fresh AS (
        SELECT e.unit_id, s.variant_id, s.epoch, e.occurred_at, e.late,
          CASE WHEN $15::text IS NOT NULL
            THEN jsonb_path_query_first(e.properties, $15::text::jsonpath, '{}', true) END AS found
        FROM events e
        JOIN sample_units s ON s.series_id = $2 AND s.unit_id = e.unit_id AND s.exposed_at <= e.occurred_at
        WHERE e.environment_id = $3 AND e.event_key = $4 AND e.occurred_at >= $5 AND e.occurred_at <= $6
          AND e.event_id < $7 AND (NOT e.late OR ulid_time(e.event_id) - e.occurred_at <= interval '30 days')
          AND ($8::text IS NULL OR
            (e.committed_in >= pg_snapshot_xmin($8::text::pg_snapshot) OR e.occurred_at >= $12
              OR e.event_id >= $10 AND e.event_id <= $11)
            AND (s.run = $13 OR NOT (pg_visible_in_snapshot(e.committed_in, $8::text::pg_snapshot)
              AND e.occurred_at <= $9 AND e.event_id < $10)))
        OFFSET 0),
      -- OFFSET 0 keeps PostgreSQL from reading a property once for each use of its value.
      measured AS (
        SELECT unit_id, variant_id, epoch, occurred_at, late,
          CASE WHEN $15 IS NULL THEN 1
            WHEN $14::text <> 'sum' AND jsonb_typeof(found) = 'boolean' THEN found::boolean::int
            ELSE measured_number(found) END AS value
        FROM fresh OFFSET 0),
      brought AS (
        SELECT unit_id, variant_id, epoch, count(value) AS events, count(value) FILTER (WHERE late) AS late,
          count(*) - count(value) AS invalid,
          coalesce(CASE $14 WHEN 'binary' THEN bool_or(value <> 0)::int WHEN 'count' THEN count(value)
            WHEN 'sum' THEN sum(value) END, 0) AS amount,
          CASE $14 WHEN 'windows' THEN
            array_agg(occurred_at ORDER BY occurred_at) FILTER (WHERE value IS NOT NULL) END AS occurred
        FROM measured GROUP BY unit_id, variant_id, epoch),
      joined AS (
        SELECT b.*, coalesce(v.amount, 0) AS old_amount, coalesce(v.events, 0) AS old_events,
          coalesce(v.late, 0) AS old_late, coalesce(v.invalid, 0) AS old_invalid,
          coalesce(v.converted, false) AS had_converted,
          CASE WHEN $14 <> 'windows' THEN NULL WHEN v.occurred IS NULL THEN b.occurred
            ELSE ARRAY (SELECT t FROM unnest(v.occurred || b.occurred) AS t ORDER BY t) END AS all_occurred
        FROM brought b LEFT JOIN unit_values v ON v.series_id = $1 AND v.unit_id = b.unit_id),
      valued AS (
        SELECT *, CASE $14 WHEN 'binary' THEN greatest(old_amount, amount)
            WHEN 'windows' THEN
              coalesce(count_outside_windows(all_occurred, $16::bigint * interval '1 microsecond'), 0)
            ELSE old_amount + amount END AS new_amount
        FROM joined),
      stored AS (
        INSERT INTO unit_values (series_id, unit_id, converted, amount, events, late, invalid, occurred)
        SELECT $1, unit_id, CASE $14 WHEN 'binary' THEN new_amount <> 0 ELSE old_events + events > 0 END,
          new_amount, old_events + events, old_late + late, old_invalid + invalid, all_occurred
        FROM valued
        ON CONFLICT (series_id, unit_id) DO UPDATE SET converted = excluded.converted,
          amount = excluded.amount, events = excluded.events, late = excluded.late, invalid = excluded.invalid,
          occurred = excluded.occurred)
      \(addSums)
      SELECT $1, variant_id, epoch, 0, 0,
        sum((CASE $14 WHEN 'binary' THEN new_amount <> 0 ELSE old_events + events > 0 END)::int
          - had_converted::int),
        sum(late), sum(invalid), sum(new_amount - old_amount),
        sum(new_amount * new_amount - old_amount * old_amount), sum(events),
        sum((old_events + events)::numeric * (old_events + events) - old_events::numeric * old_events),
        sum(new_amount * (old_events + events) - old_amount * old_events)
      FROM valued GROUP BY variant_id, epoch
      \(orAddToSums)
      """)

  private static let addSums = """
    INSERT INTO unit_sums AS s
      (series_id, variant_id, epoch, units, several, converted, late, invalid,
        amount, amount_squares, events, event_squares, products)
    """
  private static let orAddToSums = """
    ON CONFLICT (series_id, variant_id, epoch) DO UPDATE SET units = s.units + excluded.units,
      several = s.several + excluded.several, converted = s.converted + excluded.converted,
      late = s.late + excluded.late, invalid = s.invalid + excluded.invalid,
      amount = s.amount + excluded.amount, amount_squares = s.amount_squares + excluded.amount_squares,
      events = s.events + excluded.events, event_squares = s.event_squares + excluded.event_squares,
      products = s.products + excluded.products
    """
}
