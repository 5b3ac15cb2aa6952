/// Does once what is asked several times under one Idempotency-Key, and answers the first answer
/// again.
///
/// Any POST of an admin path may carry one. Kept per API key for 24 hours; a refused request does
/// not use it up. A preview does nothing that could be done twice.
struct IdempotencyGuard {
  let store: IdempotencyStore
  let ids: IDSource

  /// Operations whose answer holds a secret: it is shown once, never again.
  private static let secret: Set<Operation> = [.createApiKey, .rotateApiKey]

  static func applies(to operation: Operation) -> Bool {
    operation.method == .post && operation.access == .server && operation != .previewAssignment
  }

  static func isAsked(by request: Request) -> Bool { request.header("idempotency-key") != nil }

  /// - Parameter answer: does the work; what it audits carries the caller's `idempotencyID`.
  func answer(
    _ request: Request, _ operation: Operation, for caller: Caller,
    _ answer: (Caller) async throws -> Response
  ) async throws -> Response {
    let claim = IdempotencyStore.Claim(
      apiKeyID: caller.key.id, key: try Self.key(request), fingerprint: Self.fingerprint(request),
      id: ids.make())
    switch try await store.claim(claim) {
    case .first(let id): return try await first(claim, id, operation, caller, answer)
    case .answered(let kept): return try Self.replay(kept)
    case .otherRequest:
      throw APIError.validation([
        FieldProblem(pointer: "", detail: "this Idempotency-Key was used for another request")
      ])
    case .inProgress:
      throw APIError.conflict("A request with this Idempotency-Key is being answered; try again.")
    case .answerLost:
      throw APIError.conflict(
        "A request with this Idempotency-Key took effect, but its answer is lost; read what it made."
      )
    }
  }

  private func first(
    _ claim: IdempotencyStore.Claim, _ id: ULID, _ operation: Operation, _ caller: Caller,
    _ answer: (Caller) async throws -> Response
  ) async throws -> Response {
    var caller = caller
    caller.idempotencyID = id
    let response: Response
    do {
      response = try await answer(caller)
    } catch {
      // Should this fail too, the lease ends by itself.
      if Self.hasNoEffect(error) {
        try? await store.forget(claim, as: id)
      } else {
        try? await store.release(claim, as: id)
      }
      throw error
    }
    try? await store.keep(
      IdempotencyStore.Answer(
        status: response.status, headers: response.headers, contentType: response.contentType,
        body: Self.secret.contains(operation) ? nil : response.body),
      of: claim, as: id)
    return response
  }

  /// Whether nothing has happened for certain, now and by an earlier attempt.
  private static func hasNoEffect(_ error: any Error) -> Bool {
    if case StorageError.conflict(AuditEntry.onceConstraint) = error { return false }
    return ProblemDetails(error).status < 500
  }

  private static func replay(_ kept: IdempotencyStore.Answer) throws(APIError) -> Response {
    guard let body = kept.body else {
      throw .conflict("The answer to this Idempotency-Key held a secret, which is shown once.")
    }
    return Response(
      status: kept.status, headers: kept.headers + [("Idempotent-Replayed", "true")],
      contentType: kept.contentType, body: body)
  }

  private static func key(_ request: Request) throws(APIError) -> String {
    let bytes = request.onlyHeader("idempotency-key") ?? []
    guard (1...255).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7e).contains($0) })
    else {
      throw .validation([
        FieldProblem(
          pointer: "",
          detail: "Idempotency-Key must be one header of 1 to 255 visible ASCII characters")
      ])
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func fingerprint(_ request: Request) -> Hash256 {
    var hash = SHA256()
    // A space stands in no path and no query, so that the three cannot be cut in two ways.
    hash.update(request.rawPath)
    hash.update([0x20])
    hash.update(request.rawQuery)
    hash.update([0x20])
    hash.update(request.body)
    return hash.finalized()
  }
}
