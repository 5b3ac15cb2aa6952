/// Why a request to a server had no good answer.
enum ClientError: Error, Equatable {
  case address(url: String, reason: String)
  /// No connection: nothing has been sent.
  case unreachable(url: String, reason: String)
  /// The connection ended or the time was up before a whole answer had arrived; what the server did
  /// is unknown.
  case interrupted(reason: String)
  /// What arrived is not an HTTP/1.1 answer, or not the JSON expected.
  case malformed(reason: String)
  /// The server understood and refused.
  case refused(status: Int, detail: String)

  /// Whether the same request may succeed a little later. Every request that is repeated must be
  /// idempotent.
  var isTransient: Bool {
    switch self {
    case .unreachable, .interrupted: true
    case .refused(let status, _): RetryPolicy.transientStatuses.contains(status)
    case .address, .malformed: false
    }
  }
}

extension ClientError: CustomStringConvertible {
  var description: String {
    switch self {
    case .address(let url, let reason): "the address \"\(url)\" \(reason)"
    case .unreachable(let url, let reason): "no server answers at \(url) (\(reason))"
    case .interrupted(let reason): "the connection to the server broke (\(reason))"
    case .malformed(let reason): "the server's answer makes no sense (\(reason))"
    case .refused(401, _): "the server does not know this key (401)"
    case .refused(let status, let detail): "the server refused (\(status)): \(detail)"
    }
  }
}
