/// `DELETE /v1/units/{unit_id}`: everything that is known of a unit goes, in one environment.
struct EraseUnitHandler: Handler {
  let store: UnitErasureStore
  let assignments: AssignmentStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let unit = try UnitInput.path(request.pathParameters[0])
    let environment = try caller.environment(request)
    // The log outlives the unit's data, so it names the unit by its hash.
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: environment.id), action: "unit.erased",
      targetType: "environment", targetID: environment.id,
      payload: AuditPayload.of(["unit_sha256": SHA256.hash(unit.bytes).hex]))
    for experiment in try await store.erase(unit, in: environment.id, audit: audit) {
      assignments.forget(unit, in: experiment)
    }
    return Response(status: 202, headers: [], contentType: nil, body: [])
  }
}
