/// Experiments with their variants, guardrails and weight epochs.
///
/// A change is one statement: the rows, the epoch and the audit line, or nothing. Two writers do
/// not overwrite each other, because a change names the version that it was made from.
struct ExperimentStore {
  let database: Database

  struct Filter: Sendable {
    var environmentID: ULID?
    /// Nil: all but archived ones.
    var status: Experiment.Status?
    var tag: String?
    var owner: String?
  }

  /// Newest first.
  func experiments(
    of workspace: ULID, matching filter: Filter, page: Page
  ) async throws(StorageError) -> [Experiment] {
    try await database.rows(
      Self.list,
      [
        .id(workspace), .id(filter.environmentID), .text(orNull: filter.status?.rawValue),
        .id(page.before),
        .int(page.limit), .text(orNull: filter.tag), .text(orNull: filter.owner),
      ], Self.experiment)
  }

  /// Nil when there is none in what the caller may see.
  func experiment(_ id: ULID, of workspace: ULID, environment: ULID?) async throws(StorageError)
    -> Experiment?
  {
    try await database.row(Self.read, [.id(workspace), .id(environment), .id(id)], Self.experiment)
  }

  /// Those that an id or a key may mean, in what the caller may see: a key one in each environment.
  func experiments(
    named name: String, of workspace: ULID, environment: ULID?
  ) async throws(StorageError) -> [Experiment] {
    try await database.rows(
      Self.named, [.id(workspace), .id(environment), .text(name), .id(ULID(name))], Self.experiment)
  }

  /// - Throws: `StorageError.conflict("experiments_key")` when the environment has one with this
  ///   key.
  func create(_ id: ULID, _ definition: ExperimentDefinition, audit: AuditEntry)
    async throws(StorageError)
  {
    try await database.execute(
      Self.create,
      [.id(id), .id(audit.actor.workspaceID)] + Self.values(definition) + audit.values
        + Self.assignmentValues(definition) + definition.plan.values)
  }

  /// What a change does to an experiment's life, beside its definition.
  struct Transition: Sendable {
    var status: Experiment.Status
    var starts = false
    var stops = false
    var stopReason: Experiment.StopReason?
    var outcomeNotes: String?
    /// A new weight epoch begins.
    var epoch: WeightEpoch?
    /// Keeps new units out from now on, or lets them in again; nil changes nothing.
    var pauses: Bool?
  }

  /// Makes `definition` and `transition` true if the experiment still has the version it was read
  /// with.
  ///
  /// - Returns: false when somebody else was faster; nothing has changed then.
  func change(
    _ experiment: Experiment, to definition: ExperimentDefinition, _ transition: Transition,
    audit: AuditEntry
  ) async throws(StorageError) -> Bool {
    let values = Self.values(changing: experiment, to: definition, transition, audit: audit)
    return try await database.row(Self.change, values) { row throws(PostgresError) in try row.int(0)
    } == 1
  }

  // MARK: Rows

  /// The values of the statement `change`.
  static func values(
    changing experiment: Experiment, to definition: ExperimentDefinition, _ transition: Transition,
    audit: AuditEntry
  ) -> [PostgresValue] {
    let epochValues: [PostgresValue] =
      transition.epoch.map {
        [.int($0.number), .jsonb(AllocationCoding.encode($0.allocation, of: definition.variants))]
      } ?? [.null, .null]
    return [.id(experiment.id), .int(experiment.version)] + Self.values(definition)
      + [
        .text(transition.status.rawValue), .bool(transition.starts), .bool(transition.stops),
        .text(orNull: transition.stopReason?.rawValue), .text(orNull: transition.outcomeNotes),
      ] + epochValues + audit.values + Self.assignmentValues(definition)
      + [transition.pauses.map(PostgresValue.bool) ?? .null] + definition.plan.values
  }

  /// The order of these is the order of the placeholders of `create` and `change`, from $3 on.
  private static func values(_ definition: ExperimentDefinition) -> [PostgresValue] {
    let rule = definition.decisionRule
    return [
      .id(definition.environmentID), .text(definition.key), .text(definition.name),
      .text(definition.hypothesis),
      .text(definition.unitType.rawValue), .text(orNull: definition.unitAttribute),
      .text(definition.assignmentMode.rawValue), .text(rule.method.rawValue),
      .double(rule.posteriorThreshold),
      .double(rule.minimumDetectableEffect), .int(rule.minSamplePerVariant),
      .int(rule.maxDurationDays),
      .int(rule.snapshotCadenceMinutes), .id(definition.primaryMetricID),
      .ids(definition.variants.map(\.id)), .texts(definition.variants.map(\.key)),
      .ints(definition.variants.map(\.weight)), .texts(definition.variants.map(\.description)),
      .bools(definition.variants.map(\.isControl)), .ids(definition.guardrailMetricIDs),
    ]
  }

  /// What stands after the audit entry: from $31 on in `create`, from $38 on in `change`.
  private static func assignmentValues(_ definition: ExperimentDefinition) -> [PostgresValue] {
    [
      .id(definition.mutexGroupID),
      .texts(definition.variants.map { $0.payload.map { String(decoding: $0, as: UTF8.self) } }),
      .json(definition.audience?.source),
    ]
  }

  static func experiment(_ row: Row) throws(PostgresError) -> Experiment {
    let ids = try row.ids(17)
    let keys = try row.texts(18)
    let weights = try row.ints(19)
    let descriptions = try row.texts(20)
    let controls = try row.bools(21)
    let payloads = try row.texts(32)
    let variants = ids.indices.map {
      Variant(
        id: ids[$0], key: keys[$0], weight: weights[$0], description: descriptions[$0],
        isControl: controls[$0], payload: payloads[$0].isEmpty ? nil : [UInt8](payloads[$0].utf8))
    }
    var epoch: WeightEpoch?
    if try !row.isNull(23) {
      guard let allocation = AllocationCoding.decode(try row.json(24), of: variants) else {
        throw PostgresError.decoding("weight_epochs.allocation is not one of these variants")
      }
      epoch = WeightEpoch(number: try row.int(23), allocation: allocation)
    }
    return Experiment(
      id: try row.id(0), workspaceID: try row.id(1),
      definition: ExperimentDefinition(
        environmentID: try row.id(2), key: try row.text(3), name: try row.text(4),
        hypothesis: try row.text(5),
        unitType: try row.choice(6), unitAttribute: try row.textOrNil(7),
        assignmentMode: try row.choice(8),
        variants: variants, audience: try row.audienceOrNil(34),
        decisionRule: DecisionRule(
          method: try row.choice(9), posteriorThreshold: try row.double(10),
          minimumDetectableEffect: try row.double(11), minSamplePerVariant: try row.int(12),
          maxDurationDays: try row.int(13), snapshotCadenceMinutes: try row.int(14)),
        primaryMetricID: try row.idOrNil(15), guardrailMetricIDs: try row.ids(22),
        mutexGroupID: try row.idOrNil(31), plan: try ExperimentPlan(row, first: 35)),
      status: try row.choice(16), startedAt: try row.instantOrNil(25),
      stoppedAt: try row.instantOrNil(26), pausedAt: try row.instantOrNil(33),
      stopReason: try row.choiceOrNil(27), outcomeNotes: try row.textOrNil(28), weightEpoch: epoch,
      version: try row.int(29), createdAt: try row.instant(30))
  }

  // MARK: Statements

  /// Experiments as `experiment(_:)` reads them; a WHERE clause on `e` follows.
  static let selection = """
    SELECT e.id, e.workspace_id, e.environment_id, e.key, e.name, e.hypothesis, e.unit_type, e.unit_attribute,
      e.assignment_mode, e.method, e.posterior_threshold, e.minimum_detectable_effect, e.min_sample_per_variant,
      e.max_duration_days, e.snapshot_cadence_minutes, e.primary_metric_id, e.status,
      v.ids, v.keys, v.weights, v.descriptions, v.controls, g.ids, w.epoch, w.allocation,
      e.started_at, e.stopped_at, e.stop_reason, e.outcome_notes, e.version, e.created_at,
      e.mutex_group_id, v.payloads, e.paused_at, e.audience,
      \(ExperimentPlan.columns(of: "e"))
    FROM experiments e
    CROSS JOIN LATERAL (
      SELECT array_agg(id ORDER BY position) AS ids, array_agg(key ORDER BY position) AS keys,
        array_agg(weight ORDER BY position) AS weights, array_agg(description ORDER BY position) AS descriptions,
        array_agg(is_control ORDER BY position) AS controls,
        array_agg(coalesce(payload::text, '') ORDER BY position) AS payloads
      FROM variants WHERE experiment_id = e.id) v
    CROSS JOIN LATERAL (
      SELECT coalesce(array_agg(metric_id ORDER BY position), '{}') AS ids
      FROM guardrail_metrics WHERE experiment_id = e.id) g
    LEFT JOIN LATERAL (
      SELECT epoch, allocation FROM weight_epochs WHERE experiment_id = e.id ORDER BY epoch DESC LIMIT 1) w ON true
    """

  static let list = Statement(
    name: "experiment_list",
    sql: """
      \(selection)
      WHERE e.workspace_id = $1 AND ($2::uuid IS NULL OR e.environment_id = $2)
        AND CASE WHEN $3::text IS NULL THEN e.status <> 'archived' ELSE e.status = $3 END
        AND ($4::uuid IS NULL OR e.id < $4)
        AND ($6::text IS NULL OR e.tags @> ARRAY[$6 COLLATE "C"])
        AND ($7::text IS NULL OR e.owner = $7)
      ORDER BY e.id DESC LIMIT $5::bigint
      """)

  static let read = Statement(
    name: "experiment_read",
    sql: """
      \(selection)
      WHERE e.workspace_id = $1 AND ($2::uuid IS NULL OR e.environment_id = $2) AND e.id = $3
      """)

  static let named = Statement(
    name: "experiment_named",
    sql: """
      \(selection)
      WHERE e.workspace_id = $1 AND ($2::uuid IS NULL OR e.environment_id = $2)
        AND (e.key = $3 OR e.id = $4::uuid)
      ORDER BY e.id
      """)

  private static func variantRows(payloads: String) -> String {
    """
    unnest($17::uuid[], $18::text[], $19::bigint[], $20::text[], $21::boolean[],
      \(payloads)::text[])
      WITH ORDINALITY AS v (id, key, weight, description, is_control, payload, position)
    """
  }

  static let create = Statement(
    name: "experiment_create",
    sql: """
      WITH created AS (
        INSERT INTO experiments
          (id, workspace_id, environment_id, key, name, hypothesis, unit_type, unit_attribute, assignment_mode,
           method, posterior_threshold, minimum_detectable_effect, min_sample_per_variant, max_duration_days,
           snapshot_cadence_minutes, primary_metric_id, status, mutex_group_id,
           audience, \(ExperimentPlan.columns.joined(separator: ", ")))
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'draft', $31,
          $33::json, \(ExperimentPlan.placeholders(first: 34)))
        RETURNING id),
      with_variants AS (
        INSERT INTO variants (id, experiment_id, position, key, weight, description, is_control,
          payload)
        SELECT v.id, created.id, v.position, v.key, v.weight, v.description, v.is_control,
          v.payload::json
        FROM created, \(variantRows(payloads: "$32"))),
      with_guardrails AS (
        INSERT INTO guardrail_metrics (experiment_id, position, metric_id)
        SELECT created.id, g.position, g.metric_id
        FROM created, unnest($22::uuid[]) WITH ORDINALITY AS g (metric_id, position))
      \(AuditEntry.insert(from: "created", first: 23))
      """)

  static let change = Statement(
    name: "experiment_change",
    sql: """
      WITH changed AS (
        UPDATE experiments SET
          environment_id = $3, key = $4, name = $5, hypothesis = $6, unit_type = $7, unit_attribute = $8,
          assignment_mode = $9, method = $10, posterior_threshold = $11, minimum_detectable_effect = $12,
          min_sample_per_variant = $13, max_duration_days = $14, snapshot_cadence_minutes = $15,
          primary_metric_id = $16, status = $23,
          started_at = CASE WHEN $24::boolean THEN now() ELSE started_at END,
          stopped_at = CASE WHEN $25::boolean THEN now() ELSE stopped_at END,
          stop_reason = coalesce($26, stop_reason), outcome_notes = coalesce($27, outcome_notes),
          mutex_group_id = $38, audience = $40::json,
          paused_at = CASE WHEN $25::boolean OR NOT $41::boolean THEN NULL
            WHEN $41::boolean THEN now() ELSE paused_at END,
          \(ExperimentPlan.assignments(first: 42)),
          version = version + 1
        WHERE id = $1 AND version = $2
        RETURNING id),
      kept_variants AS (
        INSERT INTO variants (id, experiment_id, position, key, weight, description, is_control,
          payload)
        SELECT v.id, changed.id, v.position, v.key, v.weight, v.description, v.is_control,
          v.payload::json
        FROM changed, \(variantRows(payloads: "$39"))
        ON CONFLICT (experiment_id, key) DO UPDATE SET
          position = excluded.position, weight = excluded.weight, description = excluded.description,
          is_control = excluded.is_control, payload = excluded.payload),
      dropped_variants AS (
        DELETE FROM variants USING changed
        WHERE experiment_id = changed.id AND key <> ALL ($18::text[])),
      kept_guardrails AS (
        INSERT INTO guardrail_metrics (experiment_id, position, metric_id)
        SELECT changed.id, g.position, g.metric_id
        FROM changed, unnest($22::uuid[]) WITH ORDINALITY AS g (metric_id, position)
        ON CONFLICT (experiment_id, position) DO UPDATE SET metric_id = excluded.metric_id),
      dropped_guardrails AS (
        DELETE FROM guardrail_metrics USING changed
        WHERE experiment_id = changed.id AND position > cardinality($22::uuid[])),
      new_epoch AS (
        INSERT INTO weight_epochs (experiment_id, epoch, allocation)
        SELECT id, $28::bigint, $29::jsonb FROM changed WHERE $28::bigint IS NOT NULL),
      audited AS (\(AuditEntry.insert(from: "changed", first: 30)))
      SELECT count(*) FROM changed
      """)
}
