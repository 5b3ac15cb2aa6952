/// `GET /v1/assignments/{unit_id}`: everything that a unit is assigned to now, in the key's
/// environment.
struct GetUnitAssignmentsHandler: Handler {
  let store: UnitAssignmentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let unit = try UnitInput.path(request.pathParameters[0])
    let environment = try caller.environment(request)
    let running = caller.catalogue.running(in: environment.id)
    let entries = try await store.assignments(of: unit, in: running.map(\.id))
    let assignments = Dictionary(
      uniqueKeysWithValues: entries.map { ($0.experimentID, $0.assignment) })
    var json = JSONWriter(bytesReserved: 320 * (entries.count + 1))
    json.object { json in
      json.member("unit_id", unit)
      json.member("assignments") { json in
        json.array { json in
          for experiment in running.sorted(by: { $0.id < $1.id }) {
            guard let assignment = assignments[experiment.id] else { continue }
            AssignmentJSON.write(.assigned(assignment), of: unit, in: experiment, to: &json)
          }
        }
      }
    }
    return .json(json.bytes)
  }
}

/// `GET /v1/experiments/{id}/assignments`
struct ListAssignmentsHandler: Handler {
  let experiments: ExperimentStore
  let store: UnitAssignmentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let page = try Paging.read(request)
    let experiment = try await experiments.find(request.pathParameters[0], for: caller)
    let entries = try await store.assignments(of: experiment.id, page: page)
    return Paging.response(
      entries.map { ListedAssignment(entry: $0, experiment: experiment) }, page,
      id: \.entry.assignment.id)
  }

  private struct ListedAssignment: JSONWritable {
    let entry: UnitAssignmentStore.Entry
    let experiment: Experiment

    func write(to writer: inout JSONWriter) {
      let assignment = entry.assignment
      let variant = experiment.definition.variants.first { $0.id == assignment.variantID }
      writer.object { json in
        json.member("experiment_key", experiment.definition.key)
        json.member("unit_id", String(decoding: entry.unit, as: UTF8.self))
        json.member("variant", variant?.key)
        json.member("assignment_id", assignment.id)
        json.member("reason", assignment.reason.rawValue)
        json.member("generation", entry.generation)
        json.member("assigned_at", entry.assignedAt)
        json.member("exposure_logged_at", assignment.exposureLoggedAt)
      }
    }
  }
}

/// `POST /v1/assign/preview`: what would this unit get, and why? Nothing is stored.
struct PreviewAssignmentHandler: Handler {
  let store: UnitAssignmentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try AssignBody(request)
    let experiment = try caller.running(body.experiment, request)
    let prospect = try await store.prospect(of: body.unit, in: experiment)
    var json = JSONWriter(bytesReserved: 512)
    json.object { json in
      json.member("experiment_key", experiment.key.text)
      json.member("unit_id", body.unit)
      json.member("stored", prospect.assignment != nil)
      if let assignment = prospect.assignment {
        AssignmentJSON.writeMembers(.assigned(assignment), in: experiment, to: &json)
      } else {
        Self.writeProspect(prospect, body, experiment, to: &json)
      }
      json.member("generation", prospect.generation)
      json.member("weight_epoch", experiment.epoch)
      json.member(
        "slot",
        Bucketing.slot(of: body.unit, in: experiment.id, generation: prospect.generation))
    }
    return .json(json.bytes)
  }

  /// In the order in which assigning decides: override, exclusion, mutex, hash.
  private static func writeProspect(
    _ prospect: UnitAssignmentStore.Prospect, _ body: AssignBody, _ experiment: RunningExperiment,
    to json: inout JSONWriter
  ) {
    var variant: Variant?
    if let forced = prospect.forcedVariantID {
      variant = experiment.variant(forced)
      json.member("reason", Assignment.Reason.forced.rawValue)
    } else if let exclusion = experiment.exclusion(of: body.context) {
      json.member("reason", "audience_excluded")
      json.member("exclusion", exclusion.rawValue)
    } else if let holder = prospect.holder {
      json.member("reason", "mutex_holdout")
      json.member("held_by", holder)
    } else {
      variant = experiment.variant(of: body.unit, generation: prospect.generation)
      json.member("reason", Assignment.Reason.bucketed.rawValue)
    }
    json.member("variant", variant?.key)
    if let payload = variant?.payload { json.member("payload") { $0.raw(payload) } }
    json.member("exposure_logged_at", String?.none)
  }
}
