/// The /v1 API on one loop: finds the operation, knows the caller, asks the handler, turns errors into problems.
final class APIService: Application {
  private let router: Router<Operation>
  private let routes: [Operation: Route]
  private let authenticator: Authenticator
  private let idempotency: IdempotencyGuard
  private let catalogue: CatalogueHolder
  private let bodyBytesMax: (usual: Int, batch: Int)
  private let jsonDepthMax: Int
  private let log: (any Error, Request) -> Void

  /// Who answers an operation.
  enum Route {
    case open(any OpenHandler)
    case keyed(any Handler)
  }

  /// - Parameter log: told of every error that is the server's own fault.
  init(
    handlers: [Operation: Route], authenticator: Authenticator, idempotency: IdempotencyGuard,
    catalogue: CatalogueHolder,
    bodyBytesMax: (usual: Int, batch: Int), jsonDepthMax: Int,
    log: @escaping (any Error, Request) -> Void
  ) {
    router = Router(Operation.allCases.map { ($0.method, $0.path, $0) })
    routes = handlers
    self.authenticator = authenticator
    self.idempotency = idempotency
    self.catalogue = catalogue
    self.bodyBytesMax = bodyBytesMax
    self.jsonDepthMax = jsonDepthMax
    self.log = log
  }

  func answerNow(_ request: Request) -> Response? {
    do {
      let (operation, request) = try operation(of: request)
      switch try route(of: operation) {
      case .open(let handler): return handler.answer(request)
      case .keyed(let handler):
        let caller = try caller(request, operation)
        if IdempotencyGuard.applies(to: request, operation) { return nil }
        return try handler.answerNow(request, for: caller).map { shared($0, operation) }
      }
    } catch {
      return refusal(error, request)
    }
  }

  func answer(_ request: Request) async -> Response {
    do {
      let (operation, request) = try operation(of: request)
      switch try route(of: operation) {
      case .open(let handler): return handler.answer(request)
      case .keyed(let handler):
        let caller = try caller(request, operation)
        guard IdempotencyGuard.applies(to: request, operation) else {
          return shared(try await handler.answer(request, for: caller), operation)
        }
        return try await idempotency.answer(request, operation, for: caller) {
          try await handler.answer(request, for: $0)
        }
      }
    } catch {
      return refusal(error, request)
    }
  }

  func problem(for error: HTTPError) -> Response {
    var response = ProblemDetails(error).response(instance: nil)
    // Which path it was is not known here. A page must be able to read why its call was refused.
    CORS.allow(&response)
    return response
  }

  func bodyBytesMax(for head: Request) -> Int {
    Self.batchPaths.contains { head.rawPath.elementsEqual($0) }
      ? bodyBytesMax.batch : bodyBytesMax.usual
  }

  private static let batchPaths = [Operation.trackEventBatch, .logExposureBatch].map {
    [UInt8]($0.path.utf8)
  }

  /// Why there is no operation: an answer by itself.
  private struct Refusal: Error {
    let problem: ProblemDetails
  }

  private func operation(of request: Request) throws -> (Operation, Request) {
    switch router.match(request.method, request.rawPath) {
    case .found(let operation, let parameters):
      var request = request
      request.pathParameters = parameters
      request.nestingMax = jsonDepthMax
      return (operation, request)
    case .methodNotAllowed(let allow): throw Refusal(problem: .methodNotAllowed(allow: allow))
    case .notFound: throw Refusal(problem: .notFound())
    case .malformed(let error): throw error
    }
  }

  private func route(of operation: Operation) throws -> Route {
    guard let route = routes[operation] else {
      throw StorageError.failed(.postgres, "\(operation) has no handler")
    }
    return route
  }

  private func caller(_ request: Request, _ operation: Operation) throws -> Caller {
    guard let catalogue = catalogue.current else {
      throw StorageError.unavailable(.postgres, "the catalogue has not been read yet")
    }
    guard let key = authenticator.key(of: request, in: catalogue) else {
      throw APIError.unauthorized
    }
    if operation.access == .server && key.kind != .server {
      throw APIError.forbidden(
        "Client keys assign units and send events and exposures; this needs a server key.")
    }
    return Caller(key: key, catalogue: catalogue)
  }

  private func refusal(_ error: any Error, _ request: Request) -> Response {
    let problem = (error as? Refusal)?.problem ?? ProblemDetails(error)
    let sdkMethods = sdkMethods(at: request.rawPath)
    if request.method == .options, problem.status == 405,
      let preflight = CORS.preflight(methods: sdkMethods)
    {
      return preflight
    }
    if problem.status >= 500 { log(error, request) }
    var response = problem.response(instance: String(decoding: request.rawPath, as: UTF8.self))
    if !sdkMethods.isEmpty { CORS.allow(&response) }
    return response
  }

  private func shared(_ response: Response, _ operation: Operation) -> Response {
    guard operation.access == .sdk else { return response }
    var response = response
    CORS.allow(&response)
    return response
  }

  /// The methods by which SDKs call a path.
  private func sdkMethods(at path: ArraySlice<UInt8>) -> [String] {
    [HTTPMethod.get, .post].filter { method in
      if case .found(let operation, _) = router.match(method, path) {
        operation.access == .sdk
      } else {
        false
      }
    }.map(\.name)
  }
}
