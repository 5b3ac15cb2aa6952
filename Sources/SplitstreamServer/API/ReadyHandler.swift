/// `GET /v1/readyz`: can this process serve now? For load balancers and for those who start it.
///
/// Asked of the loop that took the connection: it answers for its own connections to the stores.
struct ReadyHandler: OpenHandler {
  /// Why the process cannot serve, as the problem's `missing` names it.
  enum Gap: String, CaseIterable {
    case postgresql, redis
    /// Keys and experiments have not been read since the start.
    case catalogue
    case stopping

    fileprivate var sentence: String {
      switch self {
      case .postgresql: "PostgreSQL does not answer."
      case .redis: "Redis is not connected."
      case .catalogue: "Keys and experiments are not read yet."
      case .stopping: "This process is stopping."
      }
    }
  }

  private let gaps: () -> [Gap]
  private let ready: Response

  init(gaps: @escaping () -> [Gap]) {
    self.gaps = gaps
    var json = JSONWriter()
    json.object { $0.member("status", "ready") }
    ready = .json(json.bytes)
  }

  func answer(_ request: Request) -> Response {
    let gaps = gaps()
    if gaps.isEmpty { return ready }
    let problem = ProblemDetails.notReady(
      gaps.map(\.rawValue), detail: gaps.map(\.sentence).joined(separator: " "))
    return problem.response(instance: String(decoding: request.rawPath, as: UTF8.self))
  }
}
