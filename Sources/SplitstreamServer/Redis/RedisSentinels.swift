import Dispatch

/// Redis Sentinels, who agree on which server is the primary of a name, and promote a replica when
/// it is gone. They are asked anew for each connection.
struct RedisSentinels: Sendable, CustomStringConvertible {
  /// At least one.
  let endpoints: [RedisAddress.Endpoint]
  /// As `sentinel monitor` has it.
  let name: String

  /// For each Sentinel, to connect and then to answer: a dead one must not hold up the others.
  static let waitSeconds = 0.5

  private static let queue = DispatchQueue(label: "sentinel look-up", attributes: .concurrent)

  var description: String {
    "\(name) of Sentinel \(endpoints.map(\.description).joined(separator: ", "))"
  }

  /// Where the primary is, by the first Sentinel that knows. Blocks.
  ///
  /// - Parameter attempt: who is asked first, one after the other: what one of them says may be out
  ///   of date.
  func primary(attempt: Int) throws(RedisError) -> RedisAddress.Endpoint {
    var reason = ""
    var isUnknown = false
    for number in endpoints.indices {
      let endpoint = endpoints[(attempt + number) % endpoints.count]
      do throws(RedisError) {
        if let primary = try ask(endpoint) { return primary }
        reason = "\(endpoint) knows no such name"
        isUnknown = true
      } catch {
        // What one of them says tells more than that another was not there.
        if !isUnknown { reason = "\(endpoint): \(error)" }
      }
    }
    throw .unavailable("no Sentinel says where \(name) is (\(reason))")
  }

  /// The same beside a loop: `then` is called on it, never before this returns.
  func primary(
    attempt: Int, on loop: EventLoop,
    then: @escaping (Result<RedisAddress.Endpoint, RedisError>) -> Void
  ) {
    let then = LoopConfined(then, to: loop)
    Self.queue.async {
      let result = Result { () throws(RedisError) in try primary(attempt: attempt) }
      loop.submit { then.value(result) }
    }
  }

  /// Nil when this Sentinel watches no primary of the name.
  private func ask(
    _ endpoint: RedisAddress.Endpoint
  ) throws(RedisError) -> RedisAddress.Endpoint? {
    let session = try RedisSession(
      to: RedisAddress(endpoint: endpoint), connectSeconds: Self.waitSeconds,
      timeoutSeconds: Self.waitSeconds)
    defer { session.close() }
    let question = RedisCommand.words("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    guard case .array(let parts) = try session.command(question), parts.count == 2,
      case .bytes(let host) = parts[0], case .bytes(let digits) = parts[1],
      let port = Int32(String(decoding: digits, as: UTF8.self))
    else { return nil }
    return .tcp(host: String(decoding: host, as: UTF8.self), port: port)
  }
}
