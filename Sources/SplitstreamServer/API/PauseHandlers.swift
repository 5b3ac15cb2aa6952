/// `POST /v1/experiments/{id}/pause`: no new units for now; those that are assigned are still
/// answered.
struct PauseExperimentHandler: Handler {
  let lifecycle: ExperimentLifecycle

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .experiment(
      try await lifecycle.change(request.pathParameters[0], for: caller) { current in
        try current.requireRunning()
        if current.pausedAt != nil { throw APIError.conflict("The experiment is paused already.") }
        return current.decision(pausing: true)
      })
  }
}

/// `POST /v1/experiments/{id}/resume`: new units come in again.
struct ResumeExperimentHandler: Handler {
  let lifecycle: ExperimentLifecycle

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .experiment(
      try await lifecycle.change(request.pathParameters[0], for: caller) { current in
        try current.requireRunning()
        if current.pausedAt == nil { throw APIError.conflict("The experiment is not paused.") }
        return current.decision(pausing: false)
      })
  }
}

extension Experiment {
  fileprivate func requireRunning() throws(APIError) {
    guard status == .running else {
      throw .conflict(
        "Only a running experiment is paused or resumed; this one is \(status.rawValue).")
    }
  }

  fileprivate func decision(pausing: Bool) -> ExperimentLifecycle.Decision {
    ExperimentLifecycle.Decision(
      definition: definition,
      transition: ExperimentStore.Transition(status: status, pauses: pausing),
      action: pausing ? "experiment.paused" : "experiment.resumed",
      payload: AuditPayload.of(["key": definition.key]))
  }
}
