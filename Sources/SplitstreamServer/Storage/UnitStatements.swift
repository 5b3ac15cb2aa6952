/// The rules of attribution as SQL: from exposures and events to units, from units to sums.
/// `Attribution` says the same in memory, and the tests hold one against the other.
///
/// `begin…` makes a series from nothing: tables are read whole and joined whole, planned with the
/// values known, and when there is much in two parts at once (`…OfPart`, for the functions of
/// migration 0008). `bring…` brings it forward from a `pg_snapshot`: what is new is found by an index,
/// and all that belongs to it is looked up, row by row. PostgreSQL's statistics know nothing of a
/// series just written, so nothing is left to its guesses: `LATERAL (… OFFSET 0)` is a look-up
/// whatever it expects, and one plan serves every experiment.
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

  /// Which unit counts for what: its earliest usable exposure decides.
  ///
  /// `$1` experiment, `$2` start, `$3` end, `$4` as of, `$5` series, `$6` run; `$7` from how many
  /// exposures on a worker is asked for, `$8` `exposuresOfPart`.
  static let beginSample = Statement(
    name: "units_begin_sample",
    sql: """
      WITH told AS (DELETE FROM changed_units WHERE experiment_id = $1),
      -- By unit, so that later the neighbours of a unit are found beside it.
      stored AS (
        INSERT INTO sample_units (series_id, unit_id, variant_id, epoch, exposed_at, has_several, run)
        SELECT $5, unit_id, variant_id, epoch, exposed_at, has_several, $6
        FROM first_exposures($7, $8, $1, $2, $3, $4) ORDER BY unit_id
        RETURNING variant_id, epoch, has_several),
      ahead AS (
        INSERT INTO changed_units (experiment_id, unit_id, is_erased)
        SELECT DISTINCT $1, unit_id, false FROM exposure_events
        WHERE experiment_id = $1 AND (exposed_at > $4 OR superseded_at > $4))
      \(addSums)
      SELECT $5, variant_id, epoch, count(*), sum(has_several::int), 0, 0, 0, 0, 0, 0, 0, 0
      FROM stored GROUP BY variant_id, epoch
      """)

  /// What `first_exposures` asks for each part of the units, in a worker when there is one: it must
  /// only read.
  ///
  /// `$1` to `$4` as above, `$5` part, `$6` parts.
  static let exposuresOfPart = """
    WITH usable AS (
      SELECT x.unit_id, x.variant_id, x.exposed_at, x.id, coalesce(a.epoch, 1) AS epoch
      FROM exposure_events x LEFT JOIN (
        SELECT * FROM assignments WHERE experiment_id = $1 AND \(isOfPart("unit_id", 5))) a
        USING (experiment_id, unit_id)
      WHERE x.experiment_id = $1 AND \(isUsable) AND \(isOfPart("x.unit_id", 5))),
    placed AS (
      SELECT unit_id, variant_id, exposed_at, epoch, row_number() OVER in_time AS place,
        first_value(variant_id) OVER in_time AS first_variant_id
      FROM usable WINDOW in_time AS (PARTITION BY unit_id ORDER BY exposed_at, id)),
    compared AS (
      SELECT *, bool_or(variant_id <> first_variant_id) OVER (PARTITION BY unit_id) AS has_several
      FROM placed)
    SELECT unit_id, variant_id, epoch, exposed_at, has_several FROM compared WHERE place = 1
    """

  /// The same for units whose exposures changed. Answers the earliest exposure of a unit that is
  /// new, or counts differently now; such a unit's values are dropped here and read anew by
  /// `bringValues`.
  ///
  /// `$1` to `$6` as above, `$7` visible, `$8` the series of values.
  static let bringSample = Statement(
    name: "units_bring_sample",
    sql: """
      WITH told AS (DELETE FROM changed_units WHERE experiment_id = $1 RETURNING unit_id),
      touched AS (
        SELECT unit_id FROM told
        UNION
        SELECT unit_id FROM exposure_events
        WHERE experiment_id = $1 AND committed_in >= (SELECT pg_snapshot_xmin($7::text::pg_snapshot))
          AND NOT pg_visible_in_snapshot(committed_in, (SELECT $7::text::pg_snapshot))),
      exposed AS (
        SELECT unit_id, x.*
        FROM touched CROSS JOIN LATERAL (
          SELECT variant_id, generation, exposed_at, superseded_at, id FROM exposure_events
          WHERE experiment_id = $1 AND unit_id = touched.unit_id OFFSET 0) x),
      usable AS (
        SELECT unit_id, x.variant_id, x.exposed_at, x.id, coalesce(a.epoch, 1) AS epoch
        FROM exposed x LEFT JOIN LATERAL (
          SELECT epoch, generation, reason FROM assignments
          WHERE experiment_id = $1 AND unit_id = x.unit_id OFFSET 0) a ON true
        WHERE \(isUsable)),
      first AS (
        SELECT DISTINCT ON (unit_id) unit_id, variant_id, epoch, exposed_at
        FROM usable ORDER BY unit_id, exposed_at, id),
      multiple AS (SELECT unit_id FROM usable GROUP BY unit_id HAVING count(DISTINCT variant_id) > 1),
      moved AS (
        SELECT touched.unit_id, s.variant_id AS old_variant_id, s.epoch AS old_epoch, s.has_several AS had_several,
          s.run, s.place, first.variant_id, first.epoch, first.exposed_at, multiple.unit_id IS NOT NULL AS has_several,
          (s.variant_id, s.epoch, s.exposed_at)
            IS DISTINCT FROM (first.variant_id, first.epoch, first.exposed_at) AS is_new
        FROM touched
        LEFT JOIN first USING (unit_id)
        LEFT JOIN multiple USING (unit_id)
        LEFT JOIN LATERAL (
          SELECT ctid AS place, variant_id, epoch, exposed_at, has_several, run FROM sample_units
          WHERE series_id = $5 AND unit_id = touched.unit_id OFFSET 0) s ON true
        WHERE (s.variant_id, s.epoch, s.exposed_at, coalesce(s.has_several, false)) IS DISTINCT FROM
          (first.variant_id, first.epoch, first.exposed_at, multiple.unit_id IS NOT NULL)),
      gone AS (
        DELETE FROM sample_units
        WHERE ctid = ANY (ARRAY (SELECT place FROM moved WHERE variant_id IS NULL))),
      stored AS (
        INSERT INTO sample_units (series_id, unit_id, variant_id, epoch, exposed_at, has_several, run)
        SELECT $5, unit_id, variant_id, epoch, exposed_at, has_several, CASE WHEN is_new THEN $6 ELSE run END
        FROM moved WHERE variant_id IS NOT NULL ORDER BY unit_id
        ON CONFLICT (series_id, unit_id) DO UPDATE SET variant_id = excluded.variant_id, epoch = excluded.epoch,
          exposed_at = excluded.exposed_at, has_several = excluded.has_several, run = excluded.run),
      outdated AS (
        SELECT v.*, m.old_variant_id, m.old_epoch
        FROM moved m CROSS JOIN LATERAL (
          SELECT ctid AS place, * FROM unit_values
          WHERE series_id = ANY ($8::bigint[]) AND unit_id = m.unit_id OFFSET 0) v
        WHERE m.is_new AND m.old_variant_id IS NOT NULL),
      dropped AS (DELETE FROM unit_values WHERE ctid = ANY (ARRAY (SELECT place FROM outdated))),
      -- Only a clock that was set back makes them; the next snapshot looks at them again.
      ahead AS (
        INSERT INTO changed_units (experiment_id, unit_id, is_erased)
        SELECT DISTINCT $1, unit_id, false FROM exposed WHERE exposed_at > $4 OR superseded_at > $4),
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
        FROM outdated),
      summed AS (
        \(addSums)
        SELECT series_id, variant_id, epoch, sum(units), sum(several), sum(converted), sum(late), sum(invalid),
          sum(amount), sum(amount_squares), sum(events), sum(event_squares), sum(products)
        FROM change GROUP BY series_id, variant_id, epoch
        \(orAddToSums))
      SELECT min(exposed_at) FROM moved WHERE is_new
      """)

  /// Of an exposure `x` and its unit's assignment `a`.
  private static let isUsable = """
    x.exposed_at >= $2 AND x.exposed_at <= $3
          AND (x.superseded_at IS NULL OR x.superseded_at > $4)
          AND x.variant_id IN (SELECT id FROM variants WHERE experiment_id = $1)
          -- One that was logged while its unit was re-bucketed is of a generation that is gone.
          AND (x.superseded_at > $4 OR x.generation >= coalesce(a.generation, 1))
          AND a.reason IS DISTINCT FROM 'forced'
    """

  /// Every unit's value of one metric. An event counts from its unit's first exposure to the end,
  /// if it had been received by then and no more than 30 days after it occurred.
  ///
  /// `$1` series, `$2` series of the sample, `$3` environment, `$4` event key, `$5` start, `$6`
  /// end, `$7` the first event id after as-of, `$8` summary, `$9` path, `$10` window; `$11` from
  /// how many events on a worker is asked for, `$12` `valuesOfPart`.
  static let beginValues = Statement(
    name: "units_begin_values",
    sql: """
      WITH stored AS (
        INSERT INTO unit_values (\(valueColumns))
        SELECT $1, unit_id, variant_id, epoch, exposed_at, converted, amount, 0, events, late, invalid, occurred
        FROM first_values($11, $12, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ORDER BY unit_id
        RETURNING variant_id, epoch, converted, late, invalid, amount, events)
      \(addSums)
      SELECT $1, variant_id, epoch, 0, 0, sum(converted::int), sum(late), sum(invalid), sum(amount),
        sum(amount * amount), sum(events), sum(events::numeric * events), sum(amount * events)
      FROM stored GROUP BY variant_id, epoch
      """)

  /// What `first_values` asks for each part of the units, in a worker when there is one: it must
  /// only read.
  ///
  /// Grouped by a number of the unit, because eight bytes are compared faster than a name or a
  /// row's place. It counts within this one run of the query, whatever the order. That the sample is
  /// asked for its part even when there is only one keeps PostgreSQL from hashing the events instead.
  ///
  /// `$1` to `$10` as above, `$11` part, `$12` parts.
  static let valuesOfPart = """
    WITH sample AS MATERIALIZED (
      SELECT row_number() OVER () AS number, unit_id, variant_id, epoch, exposed_at FROM sample_units
      WHERE series_id = $2 AND hashtext(unit_id) & ($12 - 1) = $11),
    found AS (
      SELECT s.number AS unit, e.occurred_at, e.late, \(found)
      FROM events e
      JOIN sample s ON s.unit_id = e.unit_id AND s.exposed_at <= e.occurred_at
      WHERE e.environment_id = $3 AND e.event_key = $4 AND \(isInTime) AND \(isOfPart("e.unit_id", 11))
      OFFSET 0),
    numbered AS (SELECT *, \(number) FROM found OFFSET 0),
    measured AS (SELECT unit, occurred_at, late, \(value) FROM numbered),
    brought AS (SELECT unit, \(summed) FROM measured GROUP BY unit),
    ordered AS (
      SELECT brought.*, unit_id, variant_id, epoch, exposed_at,
        \(inOrder("brought.occurred")) AS all_occurred
      FROM brought JOIN sample ON sample.number = brought.unit)
    SELECT unit_id, variant_id, epoch, exposed_at,
      CASE $8 WHEN 'binary' THEN amount <> 0 ELSE events > 0 END,
      CASE $8 WHEN 'windows' THEN \(outsideWindows("all_occurred")) ELSE amount END,
      events, late, invalid, all_occurred
    FROM ordered
    """

  /// Of a unit, whether it belongs to the part whose number is the parameter; the next one is the
  /// number of parts, a power of two. Of one part every unit is, and nothing is computed.
  private static func isOfPart(_ unit: String, _ parameter: Int) -> String {
    "($\(parameter + 1) = 1 OR hashtext(\(unit)) & ($\(parameter + 1) - 1) = $\(parameter))"
  }

  /// The same from the events that are new to the series: not visible then, or beyond that
  /// snapshot's time, or of a unit that is new. Of the last kind are all since `$15`.
  ///
  /// A unit whose value is known is looked up once, by the update of it. The rest are units without
  /// a value, and those with an event from before their exposure: their events are judged one by
  /// one.
  ///
  /// `$1` to `$10` as above; of the snapshot before: `$11` visible, `$12` end, `$13` the first
  /// event id after as-of, `$14` the newest; `$15` since when events may be new, `$16` run.
  static let bringValues = Statement(
    name: "units_bring_values",
    sql: """
      WITH candidates AS (
        -- Each part has one index that fits; what else must hold of them is asked outside.
        SELECT 1 AS part, \(candidateColumns) FROM events
        WHERE environment_id = $3 AND event_key = $4
          AND committed_in >= (SELECT pg_snapshot_xmin($11::text::pg_snapshot))
        UNION ALL
        SELECT 2, \(candidateColumns) FROM events
        WHERE environment_id = $3 AND event_key = $4 AND occurred_at >= $15
        UNION ALL
        SELECT 3, \(candidateColumns) FROM events WHERE event_id >= $13 AND event_id <= $14
        OFFSET 0),
      found AS (
        SELECT unit_id, occurred_at, late, NOT (
          pg_visible_in_snapshot(committed_in, (SELECT $11::text::pg_snapshot))
          AND occurred_at <= $12 AND event_id < $13) AS is_fresh, \(found)
        FROM candidates e
        WHERE e.environment_id = $3 AND e.event_key = $4 AND \(isInTime)
          AND (part = 1 OR committed_in < (SELECT pg_snapshot_xmin($11::text::pg_snapshot))
            AND (part = 2 OR occurred_at < $15))
        OFFSET 0),
      numbered AS (SELECT *, \(number) FROM found OFFSET 0),
      measured AS (SELECT unit_id, occurred_at, late, is_fresh, \(value) FROM numbered),
      whole AS (
        SELECT unit_id, min(occurred_at) AS since, \(summed)
        FROM measured WHERE is_fresh GROUP BY unit_id ORDER BY unit_id),
      -- A unit that has a value is not new: its value is dropped when its exposure changes.
      known AS (
        UPDATE unit_values v SET amount_before = v.amount,
          amount = CASE $8 WHEN 'binary' THEN greatest(v.amount, w.amount)
            WHEN 'windows' THEN \(outsideWindows(inOrder("v.occurred || w.occurred")))
            ELSE v.amount + w.amount END,
          occurred = \(inOrder("v.occurred || w.occurred")),
          converted = CASE $8 WHEN 'binary' THEN v.converted OR w.amount <> 0 ELSE v.events + w.events > 0 END,
          events = v.events + w.events, late = v.late + w.late, invalid = v.invalid + w.invalid
        FROM whole w
        WHERE v.series_id = $1 AND v.unit_id = w.unit_id AND v.exposed_at <= w.since
        RETURNING v.unit_id, v.variant_id, v.epoch, v.converted, v.amount_before, v.amount, v.events,
          w.events AS new_events, w.late AS new_late, w.invalid AS new_invalid),
      rest AS (
        SELECT e.*, s.variant_id, s.epoch, s.exposed_at
        FROM (
          SELECT * FROM measured
          -- A hash table, whatever PostgreSQL expects; a join would need its guess.
          WHERE unit_id NOT IN (SELECT unit_id FROM known) ORDER BY unit_id) e
        CROSS JOIN LATERAL (
          SELECT variant_id, epoch, exposed_at, run FROM sample_units
          WHERE series_id = $2 AND unit_id = e.unit_id AND exposed_at <= e.occurred_at OFFSET 0) s
        WHERE s.run = $16 OR e.is_fresh
        OFFSET 0),
      brought AS (
        SELECT unit_id, variant_id, epoch, exposed_at, \(summed)
        FROM rest GROUP BY unit_id, variant_id, epoch, exposed_at),
      ordered AS (
        SELECT b.*, coalesce(v.amount, 0) AS old_amount, coalesce(v.events, 0) AS old_events,
          coalesce(v.late, 0) AS old_late, coalesce(v.invalid, 0) AS old_invalid,
          coalesce(v.converted, false) AS had_converted,
          \(inOrder("v.occurred || b.occurred")) AS all_occurred
        FROM (SELECT * FROM brought ORDER BY unit_id) b
        LEFT JOIN LATERAL (
          SELECT * FROM unit_values WHERE series_id = $1 AND unit_id = b.unit_id OFFSET 0) v ON true),
      valued AS (
        SELECT *, CASE $8 WHEN 'binary' THEN had_converted OR amount <> 0
            ELSE old_events + events > 0 END AS converted,
          CASE $8 WHEN 'binary' THEN greatest(old_amount, amount)
            WHEN 'windows' THEN \(outsideWindows("all_occurred"))
            ELSE old_amount + amount END AS new_amount
        FROM ordered),
      stored AS (
        INSERT INTO unit_values (\(valueColumns))
        SELECT $1, unit_id, variant_id, epoch, exposed_at, converted, new_amount, old_amount,
          old_events + events, old_late + late, old_invalid + invalid, all_occurred
        FROM valued ORDER BY unit_id
        ON CONFLICT (series_id, unit_id) DO UPDATE SET converted = excluded.converted,
          amount = excluded.amount, amount_before = excluded.amount_before, events = excluded.events,
          late = excluded.late, invalid = excluded.invalid, occurred = excluded.occurred),
      change AS (
        SELECT variant_id, epoch, converted::int
            - (CASE $8 WHEN 'binary' THEN amount_before <> 0 ELSE events > new_events END)::int AS converted,
          new_late AS late, new_invalid AS invalid, amount_before, amount,
          events - new_events AS events_before, events
        FROM known
        UNION ALL
        SELECT variant_id, epoch, converted::int - had_converted::int, late, invalid, old_amount, new_amount,
          old_events, old_events + events
        FROM valued)
      \(addChanges("change"))
      \(orAddToSums)
      """)

  private static let candidateColumns =
    "environment_id, event_key, unit_id, occurred_at, late, event_id, committed_in, properties"

  private static let isInTime = """
    e.occurred_at >= $5 AND e.occurred_at <= $6
          AND e.event_id < $7 AND (NOT e.late OR ulid_time(e.event_id) - e.occurred_at <= interval '30 days')
    """

  // From an event to its value, in steps: OFFSET 0 between them keeps PostgreSQL from computing a
  // step once for each use of it.

  /// What stands at the path.
  private static let found = """
    CASE WHEN $9::text IS NOT NULL
          THEN jsonb_path_query_first(e.properties, (SELECT $9::text::jsonpath), '{}', true) END AS found
    """

  private static let number =
    "CASE WHEN jsonb_typeof(found) = 'number' THEN found::numeric END AS number"

  /// NULL: invalid. An amount's square, and the sum of squares of a billion, is still a double;
  /// decimals beyond the sixtieth are none.
  private static let value = """
    CASE WHEN $9 IS NULL THEN 1
          WHEN $8::text <> 'sum' AND jsonb_typeof(found) = 'boolean' THEN found::boolean::int
          WHEN abs(number) < 1e60 THEN
            CASE WHEN scale(number) <= 20 THEN number ELSE round(number, 60) END END AS value
    """

  /// What the grouped events come to; of no use for another summary, an aggregate takes nothing in.
  private static let summed = """
    count(value) AS events, count(value) FILTER (WHERE late) AS late,
          count(*) - count(value) AS invalid,
          coalesce(CASE WHEN $8 = 'binary' THEN (bool_or(value <> 0) FILTER (WHERE $8 = 'binary'))::int
            WHEN $8 = 'count' THEN count(value)
            WHEN $8 = 'sum' THEN sum(value) FILTER (WHERE $8 = 'sum') END, 0) AS amount,
          CASE WHEN $8 = 'windows' THEN
            array_agg(occurred_at) FILTER (WHERE $8 = 'windows' AND value IS NOT NULL) END AS occurred
    """

  /// The times in their order, of metrics with windows.
  private static func inOrder(_ times: String) -> String {
    "CASE WHEN $8 = 'windows' THEN ARRAY (SELECT t FROM unnest(\(times)) AS t ORDER BY t) END"
  }

  private static func outsideWindows(_ times: String) -> String {
    "coalesce(count_outside_windows(\(times), $10::bigint * interval '1 microsecond'), 0)"
  }

  private static let valueColumns = """
    series_id, unit_id, variant_id, epoch, exposed_at, converted, amount, amount_before,
          events, late, invalid, occurred
    """

  /// From the `changes` of units to the sums of their arms.
  private static func addChanges(_ changes: String) -> String {
    """
    \(addSums)
      SELECT $1, variant_id, epoch, 0, 0, sum(converted), sum(late), sum(invalid), sum(amount - amount_before),
        sum((amount - amount_before) * (amount + amount_before)), sum(events - events_before),
        sum((events - events_before)::numeric * (events + events_before)),
        sum(amount * events - amount_before * events_before)
      FROM \(changes) GROUP BY variant_id, epoch
    """
  }

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
