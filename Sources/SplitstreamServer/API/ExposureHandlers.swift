/// `POST /v1/exposures`: this unit was shown this variant.
struct LogExposureHandler: Handler {
  let store: ExposureStore
  let assignments: AssignmentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try BodyReader(request)
    let input = ExposureInput(body)
    try body.finish()
    guard let input else { throw APIError.validation(body.problems) }
    switch ExposureInput.resolve(input, at: "", request, caller) {
    case .failure(let error): throw error
    case .success(let exposure):
      let outcome = try await store.log([exposure])[0]
      guard outcome == .logged else { throw APIError.conflict(ExposureInput.sentence(outcome)) }
      assignments.forget(exposure.unit, in: exposure.experiment.id)
      return Response(status: 202, headers: [], contentType: nil, body: [])
    }
  }
}

/// `POST /v1/exposures/batch`: up to 500 at once, each judged alone.
struct LogExposureBatchHandler: Handler {
  static let countMax = 500

  let store: ExposureStore
  let assignments: AssignmentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let list = try BatchInput.elements("exposures", countMax: Self.countMax, request)
    // A wrong environment is the request's mistake, not that of each exposure.
    _ = try caller.namedEnvironment(request)
    var rejected: [BatchRejection] = []
    var accepted: [(index: Int, exposure: ExposureStore.Exposure)] = []
    for (index, element) in list.enumerated() {
      do {
        let pointer = "/exposures/\(index)"
        let body = try BodyReader(element, at: pointer)
        let input = ExposureInput(body)
        try body.finish()
        guard let input else { continue }
        accepted.append(
          (index, try ExposureInput.resolve(input, at: pointer, request, caller).get()))
      } catch {
        rejected.append(BatchRejection(index: index, error: error))
      }
    }
    let outcomes = accepted.isEmpty ? [] : try await store.log(accepted.map(\.exposure))
    for (entry, outcome) in zip(accepted, outcomes) {
      if outcome == .logged {
        assignments.forget(entry.exposure.unit, in: entry.exposure.experiment.id)
      } else {
        rejected.append(BatchRejection(index: entry.index, reason: ExposureInput.sentence(outcome)))
      }
    }
    return BatchRejection.response(acceptedCount: list.count - rejected.count, rejected)
  }
}

private struct ExposureInput {
  let experiment: ExperimentKey
  let unit: UnitID
  let variant: String

  /// Nil when a member is missing or wrong, which is noted in `body`.
  init?(_ body: BodyReader) {
    body.require(["experiment_key", "unit_id", "variant"])
    let experiment = body.present("experiment_key", body.text("experiment_key", bytes: 0...Int.max))
    let unit = UnitInput.read("unit_id", in: body)
    let variant = body.present("variant", body.text("variant", bytes: 0...Int.max))
    guard let experiment, let unit, let variant else { return nil }
    self.experiment = ExperimentKey(experiment)
    self.unit = unit
    self.variant = variant
  }

  static func resolve(
    _ input: ExposureInput, at pointer: String, _ request: Request, _ caller: Caller
  ) -> Result<ExposureStore.Exposure, APIError> {
    do throws(APIError) {
      let environment = try caller.environment(request, experiment: input.experiment)
      guard let experiment = caller.catalogue.running(input.experiment, in: environment.id) else {
        throw .notFound("running experiment")
      }
      guard let variant = experiment.variant(named: input.variant) else {
        throw .validation([
          FieldProblem(
            pointer: "\(pointer)/variant",
            detail: "the experiment has no variant \"\(input.variant)\"")
        ])
      }
      return .success(
        ExposureStore.Exposure(experiment: experiment, unit: input.unit, variant: variant))
    } catch {
      return .failure(error)
    }
  }

  static func sentence(_ outcome: ExposureStore.Outcome) -> String {
    switch outcome {
    case .logged: ""
    case .notAssigned: "The unit has no assignment in this experiment."
    case .otherVariant: "The unit is assigned to another variant."
    }
  }
}
