@testable import SplitstreamServer

/// An experiment as a test writes it into the tables, with times of the test's choice.
struct ExperimentRow: Sendable {
  let id = ULID.new()
  var workspace = ULID.new()
  var environment = ULID.new()
  var key: String
  var status = "running"
  var startedAt: Timestamp? = ServerClock.processTime().adding(days: -1)
  var stoppedAt: Timestamp?
  var maxDurationDays = 28
  var cadenceMinutes = 240
  var weights = [50, 50]
  var rule = DecisionRule()
  /// The primary, then the guardrails.
  var metrics: [MetricDefinition] = []
  /// The same metrics, all binary.
  var metricEvents: [String] {
    get { metrics.map(\.eventKey) }
    set {
      metrics = newValue.map { MetricDefinition(key: $0, name: "", eventKey: $0, kind: .binary) }
    }
  }
  let variants: [Variant]

  init(
    workspace: ULID = .new(), environment: ULID = .new(), variantCount: Int = 2,
    _ change: (inout ExperimentRow) -> Void = { _ in }
  ) {
    self.workspace = workspace
    self.environment = environment
    key = "experiment-\(id.text.lowercased())"
    weights =
      variantCount == 2
      ? [50, 50] : (0..<variantCount).map { $0 == 0 ? 100 - 20 * (variantCount - 1) : 20 }
    variants = (0..<variantCount).map {
      Variant(id: .new(), key: "v\($0)", weight: 0, isControl: $0 == 0)
    }
    rule.posteriorThreshold = 0.95
    rule.minSamplePerVariant = 100
    change(&self)
  }

  /// Writes the experiment with its first weight epoch, and its workspace and environment where
  /// they are missing.
  func insert(in session: PostgresSession) throws {
    let metricIDs = metrics.map { _ in ULID.new() }
    try session.transaction { () throws(PostgresError) in
      try session.execute(
        Self.workspaces, [.id(workspace), .text("w-\(workspace.text.lowercased())")])
      try session.execute(Self.environments, [.id(environment), .id(workspace)])
      try session.execute(
        Self.metrics,
        [
          .ids(metricIDs), .id(workspace), .texts(metrics.map(\.eventKey)),
          .text("-\(id.text.lowercased())"), .texts(metrics.map(\.kind.rawValue)),
          .texts(metrics.map(\.aggregation.rawValue)), .texts(metrics.map(\.unitDedupWindow)),
          .texts(metrics.map { $0.propertyPath?.text }),
          .texts(metrics.map(\.desiredDirection.rawValue)),
        ])
      try session.execute(
        Self.experiments,
        [
          .id(id), .id(workspace), .id(environment), .text(key), .text(status),
          .optional(timestamp: startedAt?.microseconds),
          .optional(timestamp: stoppedAt?.microseconds), .int(maxDurationDays),
          .int(cadenceMinutes), .id(metricIDs.first), .text(rule.method.rawValue),
          .double(rule.posteriorThreshold), .double(rule.minimumDetectableEffect),
          .int(rule.minSamplePerVariant),
        ])
      try session.execute(
        Self.variantRows,
        [
          .id(id), .ids(variants.map(\.id)), .texts(variants.map(\.key)), .ints(weights),
          .bools(variants.map(\.isControl)),
        ])
      try session.execute(Self.guardrails, [.id(id), .ids(Array(metricIDs.dropFirst()))])
    }
    if startedAt != nil { try addEpoch(1, weights: weights, in: session) }
  }

  func addEpoch(_ number: Int, weights: [Int], in session: PostgresSession) throws {
    let allocation = AllocationCoding.encode(Allocation(weights: weights), of: variants)
    try session.execute(Self.epoch, [.id(id), .int(number), .jsonb(allocation)])
  }

  private static let workspaces = Statement(
    name: "row_workspace",
    sql: "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, '') ON CONFLICT DO NOTHING")
  private static let environments = Statement(
    name: "row_environment",
    sql: """
      INSERT INTO environments (id, workspace_id, slug, name, shard) VALUES ($1, $2, 'sample', '', 1)
      ON CONFLICT DO NOTHING
      """)
  private static let metrics = Statement(
    name: "row_metrics",
    sql: """
      INSERT INTO metrics (id, workspace_id, key, name, event_key, kind, aggregation, unit_dedup_window,
        property_path, desired_direction)
      SELECT id, $2, event_key || '-' || place || $4, '', event_key, kind, aggregation, dedup_window, path, direction
      FROM unnest($1::uuid[], $3::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
        WITH ORDINALITY AS m (id, event_key, kind, aggregation, dedup_window, path, direction, place)
      """)
  private static let experiments = Statement(
    name: "row_experiment",
    sql: """
      INSERT INTO experiments
        (id, workspace_id, environment_id, key, name, hypothesis, unit_type, assignment_mode, status, method,
         posterior_threshold, minimum_detectable_effect, min_sample_per_variant, max_duration_days,
         snapshot_cadence_minutes, primary_metric_id, started_at, stopped_at)
      VALUES ($1, $2, $3, $4, '', '', 'user', 'managed', $5, $11, $12, $13, $14, $8, $9, $10, $6, $7)
      """)
  private static let variantRows = Statement(
    name: "row_variants",
    sql: """
      INSERT INTO variants (id, experiment_id, position, key, weight, description, is_control)
      SELECT id, $1, position, key, weight, '', is_control
      FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::boolean[])
        WITH ORDINALITY AS v (id, key, weight, is_control, position)
      """)
  private static let guardrails = Statement(
    name: "row_guardrails",
    sql: """
      INSERT INTO guardrail_metrics (experiment_id, position, metric_id)
      SELECT $1, position, id FROM unnest($2::uuid[]) WITH ORDINALITY AS g (id, position)
      """)
  private static let epoch = Statement(
    name: "row_epoch",
    sql: "INSERT INTO weight_epochs (experiment_id, epoch, allocation) VALUES ($1, $2, $3)")
}
