/// What the analysis keeps of every unit between snapshots, so that the next one reads only what
/// happened since: which variant and weight epoch it counts for (its sample), and its value of
/// every metric. One thread's at a time, in the transaction of the snapshot.
///
/// Everything here can be made again from exposures and events, and is, whenever a series cannot be
/// continued. `UnitStatements` holds the rules.
struct UnitStore {
  let session: PostgresSession
  /// More exposures or events than this are read from nothing in two parts, one by a worker of
  /// PostgreSQL's: so many are worth its start.
  var manyRows = 100_000

  /// The numbers under which the units of one experiment are kept.
  struct Series: Sendable {
    let sample: Int
    let metrics: [ULID: Int]
  }

  /// How far a series has come.
  private struct Mark {
    let series: Int
    let subject: ULID
    let run: Int
    /// PostgreSQL's `pg_snapshot` as text: which transactions had been seen.
    let visible: String
    let asOf: Timestamp
    let end: Timestamp
    let newestEvent: ULID?

    /// Whether what lies between then and `period` is all that changes. Not so when the end moves
    /// in another way than with the time: a stop that came before it, another `max_duration_days`.
    func leads(to period: ResultStore.Period) -> Bool {
      asOf <= period.asOf && (end == asOf ? end <= period.end : end == period.end)
    }
  }

  /// Runs `body` while no other process brings the same experiment forward. The lock is taken
  /// before the transaction of `body` sees anything, and ends with the session at the latest.
  func alone<Result>(with experiment: ULID, _ body: () throws -> Result) throws -> Result {
    let key = PostgresValue.int(Int(bitPattern: UInt(experiment.low)))
    try session.execute(Self.lock, [key])
    do {
      let result = try body()
      try session.execute(Self.unlock, [key])
      return result
    } catch {
      // The first error is the one to tell; without its session the lock is gone, too.
      do throws(PostgresError) { try session.execute(Self.unlock, [key]) } catch {
        session.close()
      }
      throw error
    }
  }

  /// Brings the sample and the values of `metrics` from the last snapshot, or from nothing, to
  /// `period`.
  func bringForward(
    _ experiment: Experiment, _ metrics: [Metric], to period: ResultStore.Period
  ) throws(PostgresError) -> Series {
    let marks = try session.rows(Self.readMarks, [.id(experiment.id)], Self.mark)
    let newest = try session.rows(Self.findNewestEvent, []) { row throws(PostgresError) in
      try row.id(0)
    }.first
    let last = marks.first { $0.subject == experiment.id && $0.leads(to: period) }
    let subjects = metrics.map(Self.subject)
    // One that missed a snapshot has not heard of units that changed then.
    let isContinued = { (mark: Mark) in
      mark.run == last?.run && (mark.subject == experiment.id || subjects.contains(mark.subject))
    }
    let ended = marks.filter { !isContinued($0) }.map(\.subject)
    if !ended.isEmpty { try forget(ended, of: experiment.id) }
    let continued = marks.filter(isContinued)
    let run = (last?.run ?? 0) + 1
    func put(_ subject: ULID) throws(PostgresError) -> Int {
      try session.rows(
        Self.putMark,
        [
          .id(experiment.id), .id(subject), .int(run), .instant(period.asOf),
          .instant(period.end), .id(newest),
        ]
      ) { row throws(PostgresError) in try row.int(0) }[0]
    }

    let sample = try put(experiment.id)
    let firstNew = try bringSample(
      sample, of: experiment, run: run, after: last, valued: continued.map(\.series), to: period)
    var series: [ULID: Int] = [:]
    for (metric, subject) in zip(metrics, subjects) {
      let before = continued.first { $0.subject == subject }
      let values = try put(subject)
      series[metric.id] = values
      try bringValues(
        values, of: metric, sample: sample, in: experiment, run: run, after: before,
        firstNew: firstNew, to: period)
    }
    return Series(sample: sample, metrics: series)
  }

  /// What the values of a metric are kept under: its meaning, so that nothing is added to values of
  /// another meaning.
  private static func subject(_ metric: Metric) -> ULID {
    let definition = metric.definition
    let meaning = [
      // Of the form in which values are kept.
      "2", metric.id.text, definition.eventKey, definition.kind.rawValue,
      definition.aggregation.rawValue, definition.unitDedupWindow,
      definition.propertyPath?.text ?? "",
    ]
    let hash = BLAKE2b.hash128([UInt8](meaning.joined(separator: "\0").utf8))
    return ULID(high: hash.high, low: hash.low)
  }

  /// - Returns: the earliest exposure of a unit that is new in the sample, or counts differently.
  private func bringSample(
    _ series: Int, of experiment: Experiment, run: Int, after last: Mark?, valued: [Int],
    to period: ResultStore.Period
  ) throws(PostgresError) -> Timestamp? {
    let values: [PostgresValue] = [
      .id(experiment.id), .instant(period.startedAt), .instant(period.end), .instant(period.asOf),
      .int(series), .int(run),
    ]
    guard let last else {
      try session.script(Self.settings(.anew))
      try session.execute(
        UnitStatements.beginSample,
        values + [.int(manyRows), .text(UnitStatements.exposuresOfPart)])
      return nil
    }
    try session.script(Self.settings(.ofSample))
    return try session.rows(
      UnitStatements.bringSample, values + [.text(last.visible), .ints(valued)]
    ) { row throws(PostgresError) in try row.instantOrNil(0) }.first.flatMap { $0 }
  }

  private func bringValues(
    _ series: Int, of metric: Metric, sample: Int, in experiment: Experiment, run: Int,
    after last: Mark?, firstNew: Timestamp?, to period: ResultStore.Period
  ) throws(PostgresError) {
    let definition = metric.definition
    let summary = UnitStatements.Summary(definition)
    let values: [PostgresValue] = [
      .int(series), .int(sample), .id(experiment.definition.environmentID),
      .text(definition.eventKey), .instant(period.startedAt), .instant(period.end),
      .id(Self.firstEvent(after: period.asOf)), .text(summary.rawValue),
      .text(orNull: summary.path(definition)?.jsonpath),
      .int(UnitStatements.windowMicroseconds(definition)),
    ]
    try session.script(Self.settings(last == nil ? .anew : .ofValues))
    guard let last else {
      try session.execute(
        UnitStatements.beginValues, values + [.int(manyRows), .text(UnitStatements.valuesOfPart)])
      return
    }
    try session.execute(
      UnitStatements.bringValues,
      values + [
        .text(last.visible), .instant(last.end), .id(Self.firstEvent(after: last.asOf)),
        .id(last.newestEvent), .instant(min(last.end, firstNew ?? last.end)), .int(run),
      ])
  }

  /// How the open transaction's next statements are planned.
  enum Planning {
    /// From nothing: the functions that read say how. What they answer is summed up by hashing.
    case anew
    /// Continued, one plan for all experiments, which does not depend on how large the tables are
    /// on the day it is made. Few units are compared with each other, all else is looked up.
    case ofSample
    /// All is looked up.
    case ofValues
  }

  static func settings(_ planning: Planning) -> String {
    let isAnew = planning == .anew
    return """
      SET LOCAL plan_cache_mode = \(isAnew ? "force_custom_plan" : "force_generic_plan");
      SET LOCAL enable_seqscan = \(isAnew ? "on" : "off");
      SET LOCAL enable_nestloop = \(planning == .ofValues ? "on" : "off");
      SET LOCAL enable_hashjoin = \(planning == .ofValues ? "off" : "on");
      SET LOCAL enable_mergejoin = \(planning == .ofSample ? "on" : "off");
      SET LOCAL enable_hashagg = \(planning == .ofValues ? "off" : "on")
      """
  }

  /// The smallest id of an event that is received after a time.
  private static func firstEvent(after time: Timestamp) -> ULID {
    ULID.floor(of: time.adding(milliseconds: 1))
  }

  // MARK: What has fallen behind

  func now() throws(PostgresError) -> Timestamp {
    let times = try session.rows(CatalogueReader.now, []) { row throws(PostgresError) in
      try row.instant(0)
    }
    guard let time = times.first else { throw .decoding("no time") }
    return time
  }

  /// How many events the drain has stored since a time, of all environments.
  func storedEvents(since time: Timestamp) throws(PostgresError) -> Int {
    try session.rows(Self.countStored, [.instant(time)]) { row throws(PostgresError) in
      try row.int(0)
    }.first ?? 0
  }

  /// Running experiments of which something is kept and for one of whose metrics at least `events`
  /// have come since, those longest ago first.
  func behind(by events: Int) throws(PostgresError) -> [ULID] {
    try session.rows(Self.findBehind, [.int(events)]) { row throws(PostgresError) in
      try row.id(0)
    }
  }

  // MARK: What was erased, and what nobody needs any more

  /// Experiments of which an erased unit is still known here.
  func holdingErased() throws(PostgresError) -> [ULID] {
    try session.rows(Self.findErased, []) { row throws(PostgresError) in try row.id(0) }
  }

  /// Forgets the changes of an experiment of which nothing is kept; false when something is. To be
  /// called alone with the experiment: a first snapshot under way may have seen the unit.
  func forgetChanges(of experiment: ULID) throws(PostgresError) -> Bool {
    let marks = try session.rows(Self.readMarks, [.id(experiment)], Self.mark)
    guard marks.isEmpty else { return false }
    try session.execute(Self.dropChanges, [.id(experiment)])
    return true
  }

  /// Drops what is kept of experiments whose snapshots have come to an end.
  func sweep() throws(PostgresError) {
    try session.execute(Self.sweep, [])
    try session.execute(Self.sweepChanges, [])
  }

  private func forget(_ subjects: [ULID], of experiment: ULID) throws(PostgresError) {
    try session.execute(Self.forget, [.id(experiment), .ids(subjects)])
  }

  // MARK: Statements

  private static func mark(_ row: Row) throws(PostgresError) -> Mark {
    Mark(
      series: try row.int(0), subject: try row.id(1), run: try row.int(2),
      visible: try row.text(3), asOf: try row.instant(4), end: try row.instant(5),
      newestEvent: try row.idOrNil(6))
  }

  static let lock = Statement(name: "units_lock", sql: "SELECT pg_advisory_lock($1::bigint)")
  static let unlock = Statement(name: "units_unlock", sql: "SELECT pg_advisory_unlock($1::bigint)")

  static let readMarks = Statement(
    name: "units_marks",
    sql: """
      SELECT id, subject_id, run, visible::text, as_of, ended_at, newest_event_id FROM analysis_series
      WHERE experiment_id = $1
      """)

  static let findNewestEvent = Statement(
    name: "units_newest_event", sql: "SELECT event_id FROM events ORDER BY event_id DESC LIMIT 1")

  static let putMark = Statement(
    name: "units_put_mark",
    sql: """
      INSERT INTO analysis_series
        (experiment_id, subject_id, run, visible, as_of, ended_at, newest_event_id)
      VALUES ($1, $2, $3, pg_current_snapshot(), $4, $5, $6)
      ON CONFLICT (experiment_id, subject_id) DO UPDATE SET run = excluded.run,
        visible = excluded.visible, as_of = excluded.as_of, ended_at = excluded.ended_at,
        newest_event_id = excluded.newest_event_id
      RETURNING id
      """)

  /// By the time within the id, which the primary key finds; a chunk taken over from a process that
  /// died may be older than its commit.
  static let countStored = Statement(
    name: "units_count_stored",
    sql: """
      SELECT coalesce(sum(event_count), 0)::bigint FROM drained_chunks
      WHERE chunk_id >= ulid_floor($1::timestamptz - interval '10 minutes') AND committed_at > $1
      """)

  /// A transaction that stays open anywhere in PostgreSQL makes all that came after its begin look
  /// new to the index. So no more of it is read than four times the events asked for, ten thousand at
  /// least; an experiment that this leaves behind waits for its snapshot.
  static let findBehind = Statement(
    name: "units_behind",
    sql: """
      SELECT e.id FROM experiments e
      JOIN analysis_series s ON s.experiment_id = e.id AND s.subject_id = e.id
      WHERE e.status = 'running' AND EXISTS (
        SELECT FROM (
          SELECT e.primary_metric_id AS id
          UNION ALL
          SELECT metric_id FROM guardrail_metrics WHERE experiment_id = e.id) named
        JOIN metrics m USING (id)
        CROSS JOIN LATERAL (
          SELECT FROM (
            SELECT committed_in FROM events
            WHERE environment_id = e.environment_id AND event_key = m.event_key
              AND committed_in >= pg_snapshot_xmin(s.visible)
            ORDER BY committed_in LIMIT greatest(4 * $1::bigint, 10000)) oldest
          WHERE NOT pg_visible_in_snapshot(committed_in, s.visible)
          OFFSET $1::bigint - 1 LIMIT 1) last)
      ORDER BY s.as_of
      """)

  /// All rows of series that a preceding query named `ended` answers.
  private static let dropEnded = """
    units AS (DELETE FROM sample_units WHERE series_id IN (SELECT id FROM ended)),
    amounts AS (DELETE FROM unit_values WHERE series_id IN (SELECT id FROM ended))
    DELETE FROM unit_sums WHERE series_id IN (SELECT id FROM ended)
    """

  static let forget = Statement(
    name: "units_forget",
    sql: """
      WITH ended AS (
        DELETE FROM analysis_series WHERE experiment_id = $1 AND subject_id = ANY ($2::uuid[])
        RETURNING id),
      \(dropEnded)
      """)

  /// A stopped experiment is looked at while late events may come, see `SnapshotStore.findDue`.
  private static let isOver =
    "(e.status = 'archived' OR e.stopped_at < now() - interval '31 days')"

  static let sweep = Statement(
    name: "units_sweep",
    sql: """
      WITH ended AS (
        DELETE FROM analysis_series s USING experiments e
        WHERE e.id = s.experiment_id AND \(isOver)
        RETURNING s.id),
      \(dropEnded)
      """)

  static let sweepChanges = Statement(
    name: "units_sweep_changes",
    sql: """
      DELETE FROM changed_units c USING experiments e WHERE e.id = c.experiment_id AND \(isOver)
      """)

  static let findErased = Statement(
    name: "units_erased",
    sql: """
      SELECT DISTINCT experiment_id FROM changed_units WHERE is_erased
      """)

  static let dropChanges = Statement(
    name: "units_drop_changes", sql: "DELETE FROM changed_units WHERE experiment_id = $1")
}
