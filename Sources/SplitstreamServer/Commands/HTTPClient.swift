/// One request as a client sends it.
struct ClientRequest: Sendable {
  enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
  }

  let method: Method
  /// Begins with a slash; a query may follow.
  let target: String
  /// JSON; nil for a request without a body.
  var body: [UInt8]?

  func bytes(for address: ServerAddress, fields: [(name: String, value: String)]) -> [UInt8] {
    var head = "\(method.rawValue) \(address.prefix)\(target) HTTP/1.1\r\n"
    head += "Host: \(address.authority)\r\n"
    for (name, value) in fields { head += "\(name): \(value)\r\n" }
    if let body {
      head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
    }
    head += "\r\n"
    return Array(head.utf8) + (body ?? [])
  }
}

/// A client over one keep-alive connection, for one thread at a time: it blocks, within its
/// time-outs, and sends a request again when the connection breaks or the server asks for patience.
/// Every request must be idempotent.
final class HTTPClient {
  private let address: ServerAddress
  private let limits: Limits
  private let retries: RetryPolicy
  private let pause: (Double) -> Void
  private var socket: ClientSocket?
  private var parser = ServerReplyParser()

  /// Sent with every request.
  var fields: [(name: String, value: String)]

  struct Limits: Sendable {
    var connectSeconds = 5.0
    /// From the first byte sent to the last received. A snapshot on demand may take 30 s.
    var requestSeconds = 60.0
  }

  /// - Parameter pause: waits that many seconds; a test gives one that only counts.
  init(
    _ address: ServerAddress, fields: [(name: String, value: String)] = [],
    limits: Limits = Limits(), retries: RetryPolicy = RetryPolicy(),
    pause: @escaping (Double) -> Void = Monotonic.pause
  ) {
    self.address = address
    self.fields = fields
    self.limits = limits
    self.retries = retries
    self.pause = pause
  }

  /// Connects once, without patience: a wrong address is told at once.
  func connect() throws(ClientError) {
    parser = ServerReplyParser()
    socket = try ClientSocket(to: address, deadline: Monotonic.now() + limits.connectSeconds)
  }

  /// The reply to a request, whatever its status but one that asks for patience (429, 503 …) for
  /// too long.
  func send(_ request: ClientRequest) throws(ClientError) -> ServerReply {
    let bytes = request.bytes(for: address, fields: fields)
    var failures = 0
    var pausedSeconds = 0.0
    while true {
      let isReused = socket != nil
      var retryAfterSeconds: Int?
      var outcome: Result<ServerReply, ClientError>
      do throws(ClientError) {
        let reply = try exchange(bytes)
        guard RetryPolicy.transientStatuses.contains(reply.status) else { return reply }
        retryAfterSeconds = reply.retryAfterSeconds
        outcome = .success(reply)
      } catch {
        socket = nil
        guard error.isTransient else { throw error }
        // A server may close an idle connection at any time: the first new one is tried at once.
        if failures == 0, isReused {
          failures = 1
          continue
        }
        outcome = .failure(error)
      }
      failures += 1
      guard
        let seconds = retries.pause(
          failures: failures, retryAfterSeconds: retryAfterSeconds, pausedSeconds: pausedSeconds)
      else { return try outcome.get() }
      pause(seconds)
      pausedSeconds += seconds
    }
  }

  private func exchange(_ bytes: [UInt8]) throws(ClientError) -> ServerReply {
    if socket == nil { try connect() }
    guard let socket else { throw .interrupted(reason: "no connection") }
    let deadline = Monotonic.now() + limits.requestSeconds
    try socket.send(bytes, deadline: deadline)
    while true {
      if let reply = try parser.next() { return kept(reply) }
      let received = try socket.receive(deadline: deadline)
      if received.isEmpty {
        guard let reply = try parser.end() else {
          throw .interrupted(reason: "closed without an answer")
        }
        return kept(reply)
      }
      parser.append(received)
    }
  }

  /// Bytes after an answer that nobody asked for would be taken for the next answer.
  private func kept(_ reply: ServerReply) -> ServerReply {
    if !reply.keepsConnection || !parser.isBetweenReplies { socket = nil }
    return reply
  }
}
