/// `PUT /v1/experiments/{id}/overrides/{unit_id}`: this unit sees this variant, from its next call
/// on.
struct PutOverrideHandler: Handler {
  let experiments: ExperimentStore
  let vacancies: VacancyStore
  let assignments: AssignmentStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let unit = try UnitInput.path(request.pathParameters[1])
    let body = try BodyReader(request)
    body.allowOnly(["variant"])
    body.require(["variant"])
    let key = body.present("variant", body.text("variant", bytes: 0...Int.max))
    try body.finish()
    let experiment = try await experiments.find(request.pathParameters[0], for: caller)
    guard let variant = experiment.definition.variants.first(where: { $0.key == key }) else {
      throw APIError.validation([
        FieldProblem(pointer: "/variant", detail: "the experiment has no such variant")
      ])
    }
    guard experiment.definition.assignmentMode == .managed else {
      throw APIError.conflict("Units of this experiment are assigned elsewhere.")
    }
    guard experiment.status == .draft || experiment.status == .running else {
      throw APIError.conflict("The experiment is \(experiment.status.rawValue).")
    }
    let audit = AuditEntry.ofUnit(
      unit, in: experiment, "override.set", caller, ids, variant: variant.key)
    let override = try await vacancies.force(unit, to: variant.id, in: experiment, audit: audit)
    assignments.forget(unit, in: experiment.id)
    guard let override else { throw APIError.conflict("The override was ended meanwhile.") }
    var json = JSONWriter()
    json.object { json in
      json.member("experiment_id", experiment.id)
      json.member("unit_id", unit)
      json.member("variant", variant.key)
      json.member("created_at", override.createdAt)
    }
    return .json(json.bytes)
  }
}

/// `DELETE /v1/experiments/{id}/overrides/{unit_id}`: the unit is bucketed like any other again.
struct DeleteOverrideHandler: Handler {
  let experiments: ExperimentStore
  let vacancies: VacancyStore
  let assignments: AssignmentStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let unit = try UnitInput.path(request.pathParameters[1])
    let experiment = try await experiments.find(request.pathParameters[0], for: caller)
    let audit = AuditEntry.ofUnit(unit, in: experiment, "override.deleted", caller, ids)
    guard try await vacancies.unforce(unit, in: experiment, audit: audit) else {
      throw APIError.notFound("override")
    }
    assignments.forget(unit, in: experiment.id)
    return .noContent
  }
}
