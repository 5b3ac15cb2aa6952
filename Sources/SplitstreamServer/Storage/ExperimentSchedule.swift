/// Starts and stops experiments when their time has come. One thread's at a time.
struct ExperimentSchedule {
  let session: PostgresSession

  /// What was done to an experiment.
  struct Step: Equatable {
    let experiment: ULID
    let action: String
  }

  /// Does what is due, unless another process is at it at this moment.
  ///
  /// - Parameter newID: makes the ids of the audit lines.
  func run(newID: () -> ULID) throws(PostgresError) -> [Step] {
    let isElected = try session.rows(Self.elect, []) { row throws(PostgresError) in try row.bool(0)
    }
    guard isElected.first == true else { return [] }
    // Also after an error: else nobody but this session could ever be elected. A session that has
    // ended has resigned.
    defer { _ = try? session.execute(Self.resign, []) }
    var steps: [Step] = []
    for experiment in try session.rows(Self.due, [.int(100)], ExperimentStore.experiment) {
      if let step = try advance(experiment, newID()) { steps.append(step) }
    }
    return steps
  }

  /// Nil when somebody else was faster.
  private func advance(_ experiment: Experiment, _ auditID: ULID) throws(PostgresError) -> Step? {
    let isDraft = experiment.status == .draft
    let audit = AuditEntry(
      id: auditID,
      actor: Actor(
        workspaceID: experiment.workspaceID, environmentID: experiment.definition.environmentID,
        keyID: nil),
      action: isDraft ? "experiment.started" : "experiment.stopped", targetType: "experiment",
      targetID: experiment.id, payload: Self.payload(experiment, isDraft))
    let transition: ExperimentStore.Transition =
      isDraft
      ? .start(of: experiment.definition)
      : .stop(.business, notes: "Stopped at its planned time.")
    let values = ExperimentStore.values(
      changing: experiment, to: experiment.definition, transition, audit: audit)
    let changed = try session.rows(ExperimentStore.change, values) { row throws(PostgresError) in
      try row.int(0)
    }
    return changed.first == 1 ? Step(experiment: experiment.id, action: audit.action) : nil
  }

  private static func payload(_ experiment: Experiment, _ isDraft: Bool) -> [UInt8] {
    let plan = experiment.definition.plan
    var json = JSONWriter()
    json.object { json in
      json.member("key", experiment.definition.key)
      json.member("planned_for", isDraft ? plan.startAt : plan.stopAt)
    }
    return json.bytes
  }

  /// Any number that no other program uses as an advisory lock: "splitpln" in ASCII.
  private static let electionLock = 8_318_267_711_934_196_846
  static let elect = Statement(
    name: "schedule_elect", sql: "SELECT pg_try_advisory_lock(\(electionLock))")
  static let resign = Statement(
    name: "schedule_resign", sql: "SELECT pg_advisory_unlock(\(electionLock))")

  static let due = Statement(
    name: "schedule_due",
    sql: """
      \(ExperimentStore.selection)
      WHERE e.status = 'draft' AND e.start_at <= now() OR e.status = 'running' AND e.stop_at <= now()
      ORDER BY e.id LIMIT $1::bigint
      """)
}

extension ExperimentStore.Transition {
  /// Begins the first weight epoch.
  static func start(of definition: ExperimentDefinition) -> Self {
    let allocation = Allocation(weights: definition.variants.map(\.weight))
    return Self(
      status: .running, starts: true, epoch: WeightEpoch(number: 1, allocation: allocation))
  }

  static func stop(_ reason: Experiment.StopReason?, notes: String?) -> Self {
    Self(status: .stopped, stops: true, stopReason: reason, outcomeNotes: notes)
  }
}
