/// One operation's work. Built per loop and used by its thread only.
protocol Handler {
  func answer(_ request: Request, for caller: Caller) async throws -> Response
}

/// The work of an operation that is called so often that a Task for each call would be felt.
/// A class, so that no request copies it.
protocol PromptHandler: AnyObject {
  func answer(_ request: Request, for caller: Caller) throws -> Answer<Response, any Error>
}

/// An operation that anybody may call and that waits for nothing.
protocol OpenHandler {
  func answer(_ request: Request) -> Response
}

/// Who calls, and what the server knows at that moment.
struct Caller {
  let keyInForce: KeyInForce
  let snapshot: CatalogueSnapshot
  /// Set while the request is done under an Idempotency-Key.
  var idempotencyID: ULID?

  var key: APIKey { keyInForce.key }
  var catalogue: Catalogue { snapshot.catalogue }

  /// The author of what this caller changes, recorded where `environment` may read it.
  func actor(environment: ULID? = nil) -> Actor {
    Actor(
      workspaceID: key.workspaceID, environmentID: environment ?? key.environmentID, keyID: key.id,
      idempotencyID: idempotencyID)
  }

  /// The environment an SDK call is about.
  ///
  /// The key's own; else the one that the header `Splitstream-Environment` names; else the only one
  /// in which `experiment` runs; else the workspace's only one.
  func environment(_ request: Request, experiment: ExperimentKey? = nil) throws(APIError)
    -> Environment
  {
    if let named = try namedEnvironment(request) { return named }
    let environments = catalogue.environments(of: key.workspaceID)
    if let experiment {
      let candidates = environments.filter { catalogue.running(experiment, in: $0.id) != nil }
      if candidates.count == 1 { return candidates[0] }
      if candidates.isEmpty { throw .notFound("running experiment") }
    } else if environments.count == 1 {
      return environments[0]
    }
    throw .validation([
      FieldProblem(
        pointer: "",
        detail:
          "this key is bound to no environment; name one in the header Splitstream-Environment")
    ])
  }

  /// The key's own environment, else the one that the request names; nil when there is neither.
  func namedEnvironment(_ request: Request) throws(APIError) -> Environment? {
    let environment: Environment?
    if let bound = key.environmentID {
      environment = catalogue.environment(bound)
    } else if let slug = request.headerText("splitstream-environment") {
      environment = catalogue.environment(slug: slug, in: key.workspaceID)
    } else {
      return nil
    }
    guard let environment else { throw .notFound("environment") }
    return environment
  }
}
