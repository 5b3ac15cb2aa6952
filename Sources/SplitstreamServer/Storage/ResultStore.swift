/// What the analysis reads: who was exposed to what, and who converted. One thread's at a time, in one snapshot of the
/// database.
struct ResultStore {
  let session: PostgresSession

  /// The time a snapshot is about, by PostgreSQL's clock.
  struct Period: Sendable {
    let startedAt: Timestamp
    let asOf: Timestamp
    /// `min(as_of, stopped_at, started_at + max_duration_days · 24 h)`; inclusive.
    let end: Timestamp

    init(_ experiment: Experiment, startedAt: Timestamp, asOf: Timestamp) {
      self.startedAt = startedAt
      self.asOf = asOf
      let horizon = startedAt.adding(days: experiment.definition.decisionRule.maxDurationDays)
      end = min(asOf, experiment.stoppedAt ?? asOf, horizon)
      horizonReached = horizon <= asOf
    }

    let horizonReached: Bool
  }

  struct UnitCount: Sendable {
    let variantID: ULID
    let epoch: Int
    let units: Int
    let multiVariantUnits: Int
  }

  struct ConversionCount: Sendable {
    let variantID: ULID
    let conversions: Int
    let lateEvents: Int
  }

  /// Makes the open transaction see one state of the database, and says of which instant.
  ///
  /// Else a unit could be among the converted and not yet among the exposed. Nested loops are out because right after
  /// many events came in, PostgreSQL still takes the tables for small, and would compare every unit with every event.
  func begin() throws(PostgresError) -> Timestamp {
    try session.script(
      """
      SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
      SET LOCAL enable_nestloop = off; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'
      """)
    guard
      let time = try session.rows(
        CatalogueReader.now, [], { row throws(PostgresError) in try row.instant(0) }
      ).first
    else { throw .decoding("no time") }
    return time
  }

  func experiment(_ id: ULID) throws(PostgresError) -> Experiment? {
    try session.rows(Self.read, [.id(id)], ExperimentStore.experiment).first
  }

  func metrics(_ ids: [ULID]) throws(PostgresError) -> [ULID: Metric] {
    let metrics = try session.rows(Self.readMetrics, [.ids(ids)], MetricStore.metric)
    return Dictionary(uniqueKeysWithValues: metrics.map { ($0.id, $0) })
  }

  /// Every weight epoch so far, oldest first.
  func epochs(of experiment: Experiment) throws(PostgresError) -> [WeightEpoch] {
    try session.rows(Self.readEpochs, [.id(experiment.id)]) { row throws(PostgresError) in
      guard
        let allocation = AllocationCoding.decode(
          try row.json(1), of: experiment.definition.variants)
      else {
        throw .decoding("weight_epochs.allocation is not one of these variants")
      }
      return WeightEpoch(number: try row.int(0), allocation: allocation)
    }
  }

  /// Exposed units by variant and weight epoch.
  func units(of experiment: Experiment, in period: Period) throws(PostgresError) -> [UnitCount] {
    try session.rows(Self.countUnits, Self.values(experiment, period)) {
      row throws(PostgresError) in
      UnitCount(
        variantID: try row.id(0), epoch: try row.int(1), units: try row.int(2),
        multiVariantUnits: try row.int(3))
    }
  }

  /// Units with at least one event of a binary metric, by variant.
  func conversions(
    of experiment: Experiment, metric: Metric, in period: Period
  ) throws(PostgresError) -> [ConversionCount] {
    try session.rows(
      Self.countConversions,
      Self.values(experiment, period)
        + [
          .id(experiment.definition.environmentID), .text(metric.definition.eventKey),
          .id(ULID.floor(of: period.asOf.adding(milliseconds: 1))),
        ]
    ) { row throws(PostgresError) in
      ConversionCount(
        variantID: try row.id(0), conversions: try row.int(1), lateEvents: try row.int(2))
    }
  }

  private static func values(_ experiment: Experiment, _ period: Period) -> [PostgresValue] {
    [.id(experiment.id), .instant(period.startedAt), .instant(period.end), .instant(period.asOf)]
  }

  static let read = Statement(
    name: "analysis_experiment", sql: "\(ExperimentStore.selection) WHERE e.id = $1")

  static let readMetrics = Statement(
    name: "analysis_metrics",
    sql: "SELECT \(MetricStore.columns) FROM metrics WHERE id = ANY ($1::uuid[])")

  static let readEpochs = Statement(
    name: "analysis_epochs",
    sql: "SELECT epoch, allocation FROM weight_epochs WHERE experiment_id = $1 ORDER BY epoch")

  /// The earliest usable exposure of a unit decides its variant. `$1` experiment, `$2` start, `$3` end,
  /// `$4` as of.
  private static let exposed = """
    usable AS (
      SELECT x.unit_id, x.variant_id, x.exposed_at, x.id, coalesce(a.epoch, 1) AS epoch
      FROM exposure_events x
      LEFT JOIN assignments a USING (experiment_id, unit_id)
      WHERE x.experiment_id = $1 AND x.exposed_at >= $2 AND x.exposed_at <= $3
        AND (x.superseded_at IS NULL OR x.superseded_at > $4)
        AND x.variant_id IN (SELECT id FROM variants WHERE experiment_id = $1)
        -- One that was logged while its unit was re-bucketed is of a generation that is gone.
        AND (x.superseded_at > $4 OR x.generation >= coalesce(a.generation, 1))
        AND a.reason IS DISTINCT FROM 'forced'),
    exposed AS (
      SELECT DISTINCT ON (unit_id) unit_id, variant_id, exposed_at, epoch
      FROM usable ORDER BY unit_id, exposed_at, id)
    """

  static let countUnits = Statement(
    name: "analysis_units",
    sql: """
      WITH \(exposed),
      multiple AS (SELECT unit_id FROM usable GROUP BY unit_id HAVING count(DISTINCT variant_id) > 1)
      SELECT variant_id, epoch, count(*), count(multiple.unit_id)
      FROM exposed LEFT JOIN multiple USING (unit_id)
      GROUP BY variant_id, epoch
      """)

  /// An event counts from its unit's first exposure to the end, if it had been received by then and no more than 30
  /// days after it occurred. `$5` environment, `$6` event key, `$7` the first event id after the snapshot's time.
  static let countConversions = Statement(
    name: "analysis_conversions",
    sql: """
      WITH \(exposed),
      converted AS (
        SELECT exposed.unit_id, exposed.variant_id, count(*) FILTER (WHERE e.late) AS late
        FROM exposed
        JOIN events e ON e.unit_id = exposed.unit_id AND e.occurred_at >= exposed.exposed_at
        WHERE e.environment_id = $5 AND e.event_key = $6 AND e.occurred_at >= $2 AND e.occurred_at <= $3
          AND e.event_id < $7 AND (NOT e.late OR ulid_time(e.event_id) - e.occurred_at <= interval '30 days')
        GROUP BY exposed.unit_id, exposed.variant_id)
      SELECT variant_id, count(*), sum(late)::bigint FROM converted GROUP BY variant_id
      """)
}
