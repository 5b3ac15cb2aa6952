/// `POST /v1/assign`: which variant of an experiment does this unit see?
///
/// A unit seen before is answered from memory; a new one is stored before it is answered.
final class AssignHandler: PromptHandler {
  private let assignments: AssignmentStore
  private let memory = AnswerMemory()

  init(assignments: AssignmentStore) {
    self.assignments = assignments
  }

  func answer(_ request: Request, for caller: Caller) throws -> Answer<Response, any Error> {
    let body = try AssignBody(request)
    let experiment = try caller.running(body.experiment, request)
    if let known = assignments.known(body.unit, in: experiment) {
      return .now(response(.assigned(known), body.unit, experiment))
    }
    let wish = AssignmentWish(
      unit: body.unit, experiment: experiment, logsExposure: body.logsExposure,
      exclusion: experiment.exclusion(of: body.context))
    return .later { [self] finish in
      assignments.assign([wish]) { [self] result in
        finish(
          Result {
            let outcomes = try result.get()
            return response(outcomes[outcomes.startIndex], wish.unit, wish.experiment)
          })
      }
    }
  }

  private func response(
    _ outcome: AssignmentOutcome, _ unit: UnitID, _ experiment: RunningExperiment
  ) -> Response {
    .json(
      memory.write { json in
        AssignmentJSON.write(outcome, of: unit, in: experiment, to: &json)
      })
  }
}

extension RunningExperiment {
  /// Why it does not take a new unit now; one that is stored or forced is answered all the same.
  func exclusion(of context: JSONValue?) -> Exclusion? {
    switch assignmentMode {
    case .external: .notReported
    case .managed: isPaused ? .paused : admits(context) ? nil : .audience
    }
  }
}

extension Caller {
  /// The running experiment that an SDK call names.
  func running(_ key: ExperimentKey, _ request: Request) throws(APIError) -> RunningExperiment {
    var bound = self.key.environmentID
    if bound == nil { bound = try environment(request, experiment: key).id }
    guard let bound, let experiment = catalogue.running(key, in: bound) else { throw .notRunning }
    return experiment
  }
}

extension APIError {
  static let notRunning = APIError.notFound("running experiment")
}
