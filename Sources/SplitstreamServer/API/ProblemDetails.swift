/// The body of every error: RFC 9457, `application/problem+json`. The one place that turns an error
/// into a status.
struct ProblemDetails {
  let status: Int
  /// The last part of `type`: stable, one per kind of problem.
  let kind: String
  let title: String
  var detail: String?
  var errors: [FieldProblem] = []
  /// With `not-ready`: what the server has to wait for.
  var missing: [String] = []
  var headers: [(name: String, value: String)] = []

  init(_ error: any Error) {
    switch error {
    case let error as APIError: self.init(error)
    case let error as StorageError: self.init(error)
    case let error as HTTPError: self.init(error)
    case let error as JSONError: self.init(APIError.malformedJSON(error))
    default: self = .internalError
    }
  }

  private init(status: Int, kind: String, title: String, detail: String? = nil) {
    self.status = status
    self.kind = kind
    self.title = title
    self.detail = detail
  }

  private init(_ error: APIError) {
    switch error {
    case .unauthorized:
      self.init(
        status: 401, kind: "unauthorized", title: "A valid API key is required",
        detail: "Send the header \"Authorization: Bearer ss_…\" with a key that is in force.")
      headers = [("WWW-Authenticate", "Bearer")]
    case .forbidden(let detail):
      self.init(status: 403, kind: "forbidden", title: "This key may not do that", detail: detail)
    case .notFound(let thing):
      self.init(
        status: 404, kind: "not-found", title: "Not found", detail: "There is no such \(thing).")
    case .conflict(let detail):
      self.init(
        status: 409, kind: "conflict", title: "Not possible in the present state", detail: detail)
    case .preconditionFailed(let detail):
      self.init(
        status: 412, kind: "precondition-failed", title: "Changed in the meantime", detail: detail)
    case .eventTooOld:
      self.init(
        status: 412, kind: "event-too-old", title: "The event is too old",
        detail: "occurred_at is more than 30 days ago.")
    case .validation(let problems):
      self.init(
        status: 422, kind: "validation", title: "The request has wrong fields",
        detail: Self.summary(of: problems))
      errors = problems.prefix(Self.errorsMax).map(\.bounded)
    case .malformedJSON(let error):
      self.init(
        status: 400, kind: "malformed-json", title: "The body is not JSON",
        detail: error.description)
    case .unsupportedMediaType:
      self.init(
        status: 415, kind: "unsupported-media-type", title: "The body must be JSON",
        detail: "Send the header \"Content-Type: application/json\".")
    case .notDrained:
      self.init(
        status: 503, kind: "unavailable", title: "Not available right now",
        detail: "Events accepted before this call are not stored yet; try again.")
      headers = [("Retry-After", "5")]
    }
  }

  /// The most fields that one problem names.
  static let errorsMax = 100

  private static func summary(of problems: [FieldProblem]) -> String {
    switch problems.count {
    case 1: problems[0].detail
    case ...errorsMax: "\(problems.count) fields are wrong; see errors."
    default: "More than \(errorsMax) fields are wrong; errors names the first \(errorsMax)."
    }
  }

  private init(_ error: StorageError) {
    switch error {
    case .unavailable, .outcomeUnknown:
      self.init(
        status: 503, kind: "unavailable", title: "Not available right now",
        detail: "A store behind this server does not answer. The request may be repeated as it is.")
      headers = [("Retry-After", "1")]
    case .backlogFull:
      self.init(
        status: 429, kind: "backlog-full", title: "Too many events wait to be stored",
        detail: "Nothing of this request was accepted. Repeat it after the time in Retry-After.")
      headers = [("Retry-After", "2")]
    case .conflict(let constraint):
      if constraint == AuditEntry.onceConstraint {
        self.init(APIError.conflict("A request with this Idempotency-Key has taken effect."))
        return
      }
      let what = Self.uniqueFields[constraint]
      self.init(
        status: 409, kind: "conflict", title: "Not possible in the present state",
        detail: what.map { "There is \($0) already." } ?? "This exists already.")
    case .inUse:
      self.init(
        status: 409, kind: "conflict", title: "Not possible in the present state",
        detail: "Something else refers to it, or what it refers to is being deleted.")
    case .failed: self = .internalError
    }
  }

  private init(_ error: HTTPError) {
    self.init(status: error.status, kind: error.kind, title: error.title, detail: error.detail)
    if error.refusal == .unavailable { headers = [("Retry-After", "1")] }
  }

  /// Says nothing of the inside; the log has the cause.
  static let internalError = ProblemDetails(
    status: 500, kind: "internal", title: "The server failed",
    detail: "The cause is in the server's log.")

  static func notReady(_ missing: [String], detail: String) -> ProblemDetails {
    var problem = ProblemDetails(
      status: 503, kind: "not-ready", title: "Not ready", detail: detail)
    problem.missing = missing
    problem.headers = [("Retry-After", "1")]
    return problem
  }

  static func notFound() -> ProblemDetails {
    ProblemDetails(
      status: 404, kind: "not-found", title: "Not found", detail: "There is nothing at this path.")
  }

  static func methodNotAllowed(allow: [String]) -> ProblemDetails {
    let allowed = allow.joined(separator: ", ")
    var problem = ProblemDetails(
      status: 405, kind: "method-not-allowed", title: "Not with this method",
      detail: "Use \(allowed).")
    problem.headers = [("Allow", allowed)]
    return problem
  }

  /// The document, about the request at `instance`.
  func response(instance: String?) -> Response {
    var json = JSONWriter()
    json.object { json in
      json.member("type", "urn:splitstream:problem:" + kind)
      json.member("title", title)
      json.member("status", status)
      if let detail { json.member("detail", detail) }
      if let instance { json.member("instance", instance) }
      if !missing.isEmpty {
        json.member("missing", array: missing) { json, name in json.string(name) }
      }
      if !errors.isEmpty {
        json.member("errors", array: errors) { json, error in
          json.object { json in
            json.member("pointer", error.pointer)
            json.member("detail", error.detail)
          }
        }
      }
    }
    return Response(
      status: status, headers: headers, contentType: "application/problem+json", body: json.bytes)
  }

  /// What the caller knows of a unique constraint.
  private static let uniqueFields = [
    "environments_slug": "an environment with this slug",
    "metrics_key": "a metric with this key",
    "mutex_groups_key": "a mutex group with this key",
    "segments_key": "a segment with this key",
    "experiments_key": "an experiment with this key in this environment",
  ]
}

extension FieldProblem {
  /// With a pointer that stays readable: a member's name may be as long as a body.
  fileprivate var bounded: FieldProblem {
    guard pointer.utf8.count > 1_000 else { return self }
    return FieldProblem(
      pointer: String(String.UnicodeScalarView(pointer.unicodeScalars.prefix(250))) + "…",
      detail: detail)
  }
}
