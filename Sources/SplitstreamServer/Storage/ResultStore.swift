/// What the analysis reads: who was exposed to what, and who converted. One thread's at a time, in
/// one snapshot of the database.
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

  /// Units of the sample that count for a variant, by the weight epoch of their assignment.
  struct UnitCount: Sendable {
    let variantID: ULID
    let epoch: Int
    let units: Int
    let multiVariantUnits: Int
  }

  /// Units with at least one event that counts.
  struct ConversionCount: Sendable {
    let variantID: ULID
    let epoch: Int
    let conversions: Int
  }

  /// What the units of a variant did on one metric.
  struct MetricSums: Sendable {
    let variantID: ULID
    let units: Int
    let conversions: Int
    let lateEvents: Int
    let invalidValues: Int
    let amount: Double
    let events: Double
    /// Around the means, exact until they became doubles.
    let spreads: RatioMoments.Spreads
  }

  /// Makes the open transaction see one state of the database, and says of which instant.
  ///
  /// Else a unit could be among the converted and not yet among the exposed. The time is read after
  /// that state was taken: nothing that is visible happened later.
  func begin() throws(PostgresError) -> Timestamp {
    try session.script(
      """
      SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
      SET LOCAL jit = off; SET LOCAL work_mem = '64MB'
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

  func units(_ series: UnitStore.Series) throws(PostgresError) -> [UnitCount] {
    try session.rows(Self.readUnits, [.int(series.sample)]) { row throws(PostgresError) in
      UnitCount(
        variantID: try row.id(0), epoch: try row.int(1), units: try row.int(2),
        multiVariantUnits: try row.int(3))
    }
  }

  /// - Parameter values: the metric's series.
  func sums(_ values: Int, sample: Int) throws(PostgresError) -> [MetricSums] {
    try session.rows(Self.readSums, [.int(values), .int(sample)]) { row throws(PostgresError) in
      MetricSums(
        variantID: try row.id(0), units: try row.int(1), conversions: try row.int(2),
        lateEvents: try row.int(3), invalidValues: try row.int(4), amount: try row.double(5),
        events: try row.double(6),
        spreads: RatioMoments.Spreads(
          sums: try row.double(7), counts: try row.double(8), products: try row.double(9)))
    }
  }

  func conversions(_ values: Int) throws(PostgresError) -> [ConversionCount] {
    try session.rows(Self.readConversions, [.int(values)]) { row throws(PostgresError) in
      ConversionCount(
        variantID: try row.id(0), epoch: try row.int(1), conversions: try row.int(2))
    }
  }

  static let read = Statement(
    name: "analysis_experiment", sql: "\(ExperimentStore.selection) WHERE e.id = $1")

  static let readMetrics = Statement(
    name: "analysis_metrics",
    sql: "SELECT \(MetricStore.columns) FROM metrics WHERE id = ANY ($1::uuid[])")

  static let readEpochs = Statement(
    name: "analysis_epochs",
    sql: "SELECT epoch, allocation FROM weight_epochs WHERE experiment_id = $1 ORDER BY epoch")

  static let readUnits = Statement(
    name: "analysis_units",
    sql: """
      SELECT variant_id, epoch, units, several FROM unit_sums WHERE series_id = $1 AND units > 0
      """)

  /// In PostgreSQL's exact numbers: as doubles, the difference of two large sums could be all
  /// noise.
  static let readSums = Statement(
    name: "analysis_sums",
    sql: """
      WITH sample AS (
        SELECT variant_id, sum(units)::bigint AS size FROM unit_sums WHERE series_id = $2
        GROUP BY variant_id HAVING sum(units) > 0),
      totals AS (
        SELECT variant_id, size, sum(converted)::bigint AS converted, sum(late)::bigint AS late,
          sum(invalid)::bigint AS invalid, sum(amount) AS amount, sum(events) AS events,
          sum(amount_squares) AS amount_squares, sum(event_squares) AS event_squares,
          sum(products) AS products
        FROM sample JOIN unit_sums USING (variant_id) WHERE series_id = $1
        GROUP BY variant_id, size)
      SELECT variant_id, size, converted, late, invalid, amount::float8, events::float8,
        ((amount_squares * size - amount * amount) / size)::float8,
        ((event_squares * size - events * events) / size)::float8,
        ((products * size - amount * events) / size)::float8
      FROM totals
      """)

  static let readConversions = Statement(
    name: "analysis_conversions",
    sql: "SELECT variant_id, epoch, converted FROM unit_sums WHERE series_id = $1")
}
