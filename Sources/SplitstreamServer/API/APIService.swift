/// The /v1 API on one loop: finds the operation, knows the caller, asks the handler, turns errors
/// into problems.
final class APIService: Application {
  /// To a place in `endpoints`.
  private let router: Router<Int>
  private let endpoints: [Endpoint]
  private let authenticator: Authenticator
  private let idempotency: IdempotencyGuard
  private let catalogue: CatalogueHolder
  private let bodyBytesMax: (usual: Int, batch: Int)
  private let jsonDepthMax: Int
  private let log: (any Error, Request) -> Void
  /// Most requests go where the one before them went.
  private var latestEndpoint: Endpoint?
  private var latestPath: [UInt8] = []

  private final class Endpoint {
    let operation: Operation
    let method: HTTPMethod
    /// SDKs call it, also from web pages.
    let isShared: Bool
    /// Client keys may not.
    let needsServerKey: Bool
    /// Whether an Idempotency-Key means anything.
    let isDoneOnce: Bool
    let route: Route

    init(_ operation: Operation, _ route: Route) {
      self.operation = operation
      method = operation.method
      isShared = operation.access == .sdk
      needsServerKey = operation.access == .server
      isDoneOnce = IdempotencyGuard.applies(to: operation)
      self.route = route
    }
  }

  /// Who answers an operation. Indirect: it is copied at each request, as one reference then.
  indirect enum Route {
    case open(any OpenHandler)
    case keyed(any Handler)
    case prompt(any PromptHandler)
  }

  /// - Parameter log: told of every error that is the server's own fault.
  init(
    handlers: [Operation: Route], authenticator: Authenticator, idempotency: IdempotencyGuard,
    catalogue: CatalogueHolder,
    bodyBytesMax: (usual: Int, batch: Int), jsonDepthMax: Int,
    log: @escaping (any Error, Request) -> Void
  ) {
    endpoints = Operation.allCases.compactMap { operation in
      handlers[operation].map { Endpoint(operation, $0) }
    }
    router = Router(
      endpoints.enumerated().map { ($1.operation.method, $1.operation.path, $0) })
    self.authenticator = authenticator
    self.idempotency = idempotency
    self.catalogue = catalogue
    self.bodyBytesMax = bodyBytesMax
    self.jsonDepthMax = jsonDepthMax
    self.log = log
  }

  func answer(_ request: Request) -> Answer<Response, Never> {
    do {
      let (endpoint, parameters) = try find(request)
      // A request is not copied for nothing.
      if parameters.isEmpty && request.nestingMax == jsonDepthMax {
        return try answer(request, endpoint)
      }
      return try answer(routed(request, parameters), endpoint)
    } catch {
      return .now(refusal(error, request))
    }
  }

  private func answer(
    _ request: Request, _ endpoint: Endpoint
  ) throws -> Answer<Response, Never> {
    switch try begun(request, endpoint) {
    case .now(let response): return .now(finished(response, endpoint))
    case .later(let begin):
      return .later { [self] finish in
        begin { [self] result in
          finish(.success(finished(result, request, endpoint)))
        }
      }
    case .awaited(let work):
      return .awaited { [self] in .success(finished(await work(), request, endpoint)) }
    }
  }

  private func begun(
    _ request: Request, _ endpoint: Endpoint
  ) throws -> Answer<Response, any Error> {
    switch endpoint.route {
    case .open(let handler): return .now(handler.answer(request))
    case .prompt(let handler): return try handler.answer(request, for: caller(request, endpoint))
    case .keyed(let handler):
      let caller = try caller(request, endpoint)
      return .awaited { [self] in await result(request, endpoint, handler, caller) }
    }
  }

  private func result(
    _ request: Request, _ endpoint: Endpoint, _ handler: any Handler, _ caller: Caller
  ) async -> Result<Response, any Error> {
    do {
      guard endpoint.isDoneOnce && IdempotencyGuard.isAsked(by: request) else {
        return .success(try await handler.answer(request, for: caller))
      }
      return .success(
        try await idempotency.answer(request, endpoint.operation, for: caller) {
          try await handler.answer(request, for: $0)
        })
    } catch {
      return .failure(error)
    }
  }

  private func finished(
    _ result: Result<Response, any Error>, _ request: Request, _ endpoint: Endpoint
  ) -> Response {
    switch result {
    case .success(let response): finished(response, endpoint)
    case .failure(let error): refusal(error, request)
    }
  }

  private func finished(_ response: consuming Response, _ endpoint: Endpoint) -> Response {
    if endpoint.isShared { CORS.allow(&response) }
    return response
  }

  func problem(for error: HTTPError) -> Response {
    var response = ProblemDetails(error).response(instance: nil)
    // Which path it was is not known here. A page must be able to read why its call was refused.
    CORS.allow(&response)
    return response
  }

  func bodyBytesMax(for head: Request) -> Int {
    let path = head.rawPath
    return Self.batchPaths.contains { $0.count == path.count && path.elementsEqual($0) }
      ? bodyBytesMax.batch : bodyBytesMax.usual
  }

  private static let batchPaths = [Operation.trackEventBatch, .logExposureBatch].map {
    [UInt8]($0.path.utf8)
  }

  /// Why there is no operation: an answer by itself.
  private struct Refusal: Error {
    let problem: ProblemDetails
  }

  /// Where a request leads, and what its path says.
  private func find(_ request: Request) throws -> (endpoint: Endpoint, parameters: [String]) {
    let path = request.rawPath
    if let endpoint = latestEndpoint, endpoint.method == request.method,
      path.isSame(as: latestPath)
    {
      return (endpoint, [])
    }
    switch router.match(request.method, path) {
    case .found(let place, let parameters):
      let endpoint = endpoints[place]
      if parameters.isEmpty { (latestEndpoint, latestPath) = (endpoint, Array(path)) }
      return (endpoint, parameters)
    case .methodNotAllowed(let allow): throw Refusal(problem: .methodNotAllowed(allow: allow))
    case .notFound: throw Refusal(problem: .notFound())
    case .malformed(let error): throw error
    }
  }

  private func routed(_ request: Request, _ parameters: [String]) -> Request {
    var request = request
    request.pathParameters = parameters
    request.nestingMax = jsonDepthMax
    return request
  }

  private func caller(_ request: Request, _ endpoint: Endpoint) throws -> Caller {
    guard let snapshot = catalogue.current else {
      throw StorageError.unavailable(.postgres, "the catalogue has not been read yet")
    }
    guard let key = authenticator.key(of: request, in: snapshot) else {
      throw APIError.unauthorized
    }
    if endpoint.needsServerKey && key.key.kind != .server {
      throw APIError.forbidden(
        "Client keys assign units and send events and exposures; this needs a server key.")
    }
    return Caller(keyInForce: key, snapshot: snapshot)
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

  /// The methods by which SDKs call a path.
  private func sdkMethods(at path: ArraySlice<UInt8>) -> [String] {
    [HTTPMethod.get, .post].filter { method in
      if case .found(let place, _) = router.match(method, path) {
        endpoints[place].isShared
      } else {
        false
      }
    }.map(\.name)
  }
}
