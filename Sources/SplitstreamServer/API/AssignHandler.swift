/// `POST /v1/assign`: which variant of an experiment does this unit see?
///
/// A unit seen before is answered from memory; a new one is stored before it is answered.
struct AssignHandler: Handler {
  let assignments: AssignmentStore

  func answerNow(_ request: Request, for caller: Caller) throws -> Response? {
    let body = try AssignBody(request)
    let experiment = try Self.experiment(body.experiment, request, caller)
    return assignments.known(body.unit, in: experiment).map { Self.response($0, body, experiment) }
  }

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try AssignBody(request)
    let experiment = try Self.experiment(body.experiment, request, caller)
    switch experiment.assignmentMode {
    case .managed:
      guard experiment.admits(body.context) else {
        // Assigned before, or by another process with another context, it stays so.
        if let assignment = try await assignments.stored(body.unit, in: experiment) {
          return Self.response(assignment, body, experiment)
        }
        return Self.excluded(.audience, body)
      }
      let assignment = try await assignments.assign(
        body.unit, to: experiment, logsExposure: body.logsExposure)
      return Self.response(assignment, body, experiment)
    case .external:
      guard let assignment = try await assignments.stored(body.unit, in: experiment) else {
        return Self.excluded(.notReported, body)
      }
      return Self.response(assignment, body, experiment)
    }
  }

  private static func experiment(
    _ key: ExperimentKey, _ request: Request, _ caller: Caller
  ) throws(APIError) -> RunningExperiment {
    let environment = try caller.environment(request, experiment: key)
    guard let experiment = caller.catalogue.running(key, in: environment.id) else {
      throw .notFound("running experiment")
    }
    return experiment
  }

  private static func response(
    _ assignment: Assignment, _ body: AssignBody, _ experiment: RunningExperiment
  ) -> Response {
    var json = JSONWriter(bytesReserved: 320)
    json.object { json in
      body.writeNames(to: &json)
      json.member("variant", experiment.variant(assignment.variantID)?.key)
      json.member("assignment_id", assignment.id)
      json.member("reason", assignment.reason.rawValue)
      json.member("exposure_logged_at", assignment.exposureLoggedAt)
    }
    return .json(json.bytes)
  }

  /// Generated clients know the contract's reasons only; what is more precise has a field of its own.
  private static func excluded(_ exclusion: Exclusion, _ body: AssignBody) -> Response {
    var json = JSONWriter()
    json.object { json in
      body.writeNames(to: &json)
      json.member("variant", String?.none)
      json.member("reason", "audience_excluded")
      json.member("exclusion", exclusion.rawValue)
      json.member("exposure_logged_at", String?.none)
    }
    return .json(json.bytes)
  }
}

/// AssignInput. Members that nobody knows are ignored: SDKs are older or newer than the server.
private struct AssignBody {
  static let contextBytesMax = 4096

  let experiment: ExperimentKey
  let unit: UnitID
  let logsExposure: Bool
  /// What the caller says of the unit.
  let context: JSONValue?

  init(_ request: Request) throws(APIError) {
    let body = try BodyReader.object(request)
    if let experiment = body["experiment_key"]?.stringBytes,
      let bytes = body["unit_id"]?.stringBytes,
      let unit = UnitID([UInt8](bytes)), Self.isContext(body["context"]),
      Self.isFlag(body["log_exposure"])
    {
      self.experiment = ExperimentKey([UInt8](experiment))
      self.unit = unit
      logsExposure = body["log_exposure"]?.bool ?? true
      context = body["context"]
    } else {
      throw .validation(try Self.problems(body))
    }
  }

  func writeNames(to json: inout JSONWriter) {
    json.member("experiment_key", experiment.text)
    json.member("unit_id", unit.text)
  }

  private static func isContext(_ context: JSONValue?) -> Bool {
    guard let context else { return true }
    return context.kind == .object && context.source.count <= contextBytesMax
  }

  private static func isFlag(_ flag: JSONValue?) -> Bool { flag == nil || flag?.bool != nil }

  /// What is wrong, member by member; the plain path does not pay for it.
  private static func problems(_ value: JSONValue) throws(APIError) -> [FieldProblem] {
    let body = try BodyReader(value, at: "")
    body.require(["experiment_key", "unit_id"])
    _ = body.present("experiment_key", body.text("experiment_key", bytes: 0...Int.max))
    UnitInput.note("unit_id", in: body)
    if let context = value["context"], !isContext(context) {
      body.note("context", "must be an object of at most \(contextBytesMax) bytes")
    }
    _ = body.present("log_exposure", body.boolean("log_exposure"))
    return body.problems
  }
}

/// Reads a `unit_id`: 1–256 bytes of UTF-8 without NUL, as they are.
enum UnitInput {
  static func read(_ name: String, in body: BodyReader) -> UnitID? {
    guard let text = body.present(name, body.text(name, bytes: 1...UnitID.bytesMax)) else {
      return nil
    }
    // Too long or empty is noted already; the JSON reader lets no NUL through.
    return UnitID(text)
  }

  static func note(_ name: String, in body: BodyReader) { _ = read(name, in: body) }
}
