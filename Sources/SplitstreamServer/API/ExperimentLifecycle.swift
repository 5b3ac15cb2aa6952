/// Changes an experiment: reads it, decides, and stores the change if nobody was faster; else
/// begins again.
struct ExperimentLifecycle {
  let store: ExperimentStore
  let ids: IDSource
  let changes: CatalogueChanges

  /// What becomes of an experiment, and how the audit log tells it.
  struct Decision {
    var definition: ExperimentDefinition
    var transition: ExperimentStore.Transition
    var action: String
    var payload: [UInt8]
  }

  /// - Parameter decide: nil when there is nothing to change.
  /// - Returns: the experiment as it is afterwards.
  func change(
    _ id: String, for caller: Caller, _ decide: (Experiment) async throws -> Decision?
  ) async throws -> Experiment {
    // Each round somebody else has succeeded, so that a bound is all it takes.
    for _ in 0..<20 {
      let experiment = try await store.find(id, for: caller)
      guard let decision = try await decide(experiment) else { return experiment }
      let audit = AuditEntry(
        id: ids.make(), actor: caller.actor(environment: experiment.definition.environmentID),
        action: decision.action, targetType: "experiment", targetID: experiment.id,
        payload: decision.payload)
      if try await store.change(
        experiment, to: decision.definition, decision.transition, audit: audit)
      {
        await changes.apply(.experiment(experiment.id))
        return try await store.find(id, for: caller)
      }
    }
    throw APIError.conflict("The experiment is being changed by others; try again.")
  }
}

/// `PATCH /v1/experiments/{id}`
struct UpdateExperimentHandler: Handler {
  let lifecycle: ExperimentLifecycle
  let references: ExperimentReferences

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let condition = request.headerText("if-match")
    let experiment = try await lifecycle.change(request.pathParameters[0], for: caller) { current in
      var changed = try ExperimentInput.read(
        try BodyReader(request), changing: current.definition, ids: lifecycle.ids)
      // RFC 9110 §13.2.1: a condition has nothing to say about a request that is refused anyway.
      if let condition, condition != "*", !current.isNamed(by: condition) {
        throw APIError.preconditionFailed("The experiment is at \(current.entityTag) now.")
      }
      // The ranges of slots are kept in the order of the variants, which is fixed from the start
      // on.
      if current.weightEpoch != nil { changed.variants.sort(like: current.definition.variants) }
      if changed == current.definition { return nil }
      try Self.checkStatus(current, changed)
      try await references.check(changed, for: caller)
      return Self.decision(current, changed)
    }
    return .experiment(experiment)
  }

  private static func checkStatus(_ current: Experiment, _ changed: ExperimentDefinition)
    throws(APIError)
  {
    switch current.status {
    case .draft: return
    case .running:
      let frozen = current.definition.frozenFields(changedBy: changed)
      if !frozen.isEmpty {
        throw .conflict(
          "While the experiment runs, these may not change: \(frozen.joined(separator: ", ")).")
      }
    case .stopped, .archived:
      throw .conflict("The experiment is \(current.status.rawValue); it may not change any more.")
    }
  }

  private static func decision(
    _ current: Experiment, _ changed: ExperimentDefinition
  ) -> ExperimentLifecycle.Decision {
    var transition = ExperimentStore.Transition(status: current.status)
    let weights = changed.variants.map(\.weight)
    if let epoch = current.weightEpoch, weights != epoch.allocation.weights {
      transition.epoch = WeightEpoch(
        number: epoch.number + 1, allocation: epoch.allocation.reweighted(to: weights))
    }
    return ExperimentLifecycle.Decision(
      definition: changed, transition: transition, action: "experiment.updated",
      payload: AuditPayload.of(["key": changed.key, "version": current.version + 1]))
  }
}

/// `POST /v1/experiments/{id}/start`
struct StartExperimentHandler: Handler {
  let lifecycle: ExperimentLifecycle

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let experiment = try await lifecycle.change(request.pathParameters[0], for: caller) { current in
      guard current.status == .draft else {
        throw APIError.conflict(
          "Only a draft can be started; this experiment is \(current.status.rawValue).")
      }
      return ExperimentLifecycle.Decision(
        definition: current.definition,
        transition: .start(of: current.definition),
        action: "experiment.started", payload: AuditPayload.of(["key": current.definition.key]))
    }
    return .experiment(experiment)
  }
}

/// `POST /v1/experiments/{id}/stop`
struct StopExperimentHandler: Handler {
  let lifecycle: ExperimentLifecycle

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try BodyReader(request)
    body.allowOnly(["reason", "outcome_notes"])
    body.require(["reason"])
    let reason = body.present("reason", body.choice("reason", Experiment.StopReason.self))
    let notes = body.text("outcome_notes", bytes: 0...10_000).valueOrNil
    try body.finish()
    let experiment = try await lifecycle.change(request.pathParameters[0], for: caller) { current in
      guard current.status == .running else {
        throw APIError.conflict(
          "Only a running experiment can be stopped; this one is \(current.status.rawValue).")
      }
      return ExperimentLifecycle.Decision(
        definition: current.definition,
        transition: .stop(reason, notes: notes),
        action: "experiment.stopped",
        payload: AuditPayload.of([
          "key": current.definition.key, "reason": reason?.rawValue, "outcome_notes": notes,
        ]))
    }
    return .experiment(experiment)
  }
}

/// `DELETE /v1/experiments/{id}`
struct ArchiveExperimentHandler: Handler {
  let lifecycle: ExperimentLifecycle

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    _ = try await lifecycle.change(request.pathParameters[0], for: caller) { current in
      switch current.status {
      case .running: throw APIError.conflict("The experiment is running; stop it first.")
      case .archived: throw APIError.conflict("The experiment is archived already.")
      case .draft, .stopped:
        return ExperimentLifecycle.Decision(
          definition: current.definition, transition: ExperimentStore.Transition(status: .archived),
          action: "experiment.archived", payload: AuditPayload.of(["key": current.definition.key]))
      }
    }
    return .noContent
  }
}

extension Experiment {
  /// A strong validator (RFC 9110 §8.8.3): every change of the definition raises the version.
  var entityTag: String { "\"\(version)\"" }

  /// Whether one of the tags of an If-Match or If-None-Match header is this version's.
  ///
  /// - Parameter isWeak: compare weakly (RFC 9110 §8.8.3.2), as If-None-Match does.
  func isNamed(by condition: String, isWeak: Bool = false) -> Bool {
    condition.split(separator: ",").contains { tag in
      let tag = tag.drop { $0 == " " }.prefix { $0 != " " }
      return (isWeak && tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == entityTag[...]
    }
  }
}
