import Glibc

/// A Redis Cluster for callers that wait: a session to each node that is needed. One thread's at a
/// time.
final class RedisClusterSession: RedisCaller {
  private let address: RedisAddress
  private var routes: RedisRoutes
  private var sessions: [RedisRoutes.Node: RedisSession] = [:]
  private(set) var isOpen = true

  /// Connects to `address`, any node, and hears of the others.
  init(to address: RedisAddress) throws(RedisError) {
    self.address = address
    routes = RedisRoutes(seed: address.endpoint)
    routes.learn(try session(to: address.endpoint).command(RedisRoutes.map), from: address.endpoint)
  }

  func command(_ arguments: [[UInt8]]) throws(RedisError) -> RedisReply {
    try routed(by: arguments[1]) { session throws(RedisError) in try session.command(arguments) }
  }

  func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) throws(RedisError) -> RedisReply {
    try routed(by: keys[0]) { session throws(RedisError) in
      try session.evaluate(script, keys: keys, arguments: arguments)
    }
  }

  func close() {
    isOpen = false
    for session in sessions.values { session.close() }
    sessions = [:]
  }

  private func routed(
    by key: [UInt8], _ body: (RedisSession) throws(RedisError) -> RedisReply
  ) throws(RedisError) -> RedisReply {
    let slot = RedisSlot.of(key)
    var hop = RedisRoutes.Hop(node: routes.node(of: slot))
    var failure = RedisError.unavailable("not connected")
    for _ in 0..<RedisRoutes.hopsMax {
      if hop.pauseSeconds > 0 { usleep(UInt32(hop.pauseSeconds * 1e6)) }
      do throws(RedisError) {
        let session = try session(to: hop.node)
        if hop.isAsking { _ = try session.command(RedisCommand.asking) }
        return try body(session)
      } catch {
        failure = error
      }
      guard let next = routes.hop(after: failure, from: hop.node, slot: slot) else { break }
      hop = next
    }
    throw failure
  }

  private func session(to node: RedisRoutes.Node) throws(RedisError) -> RedisSession {
    if let known = sessions[node], known.isOpen { return known }
    let session = try RedisSession(to: address.moved(to: node))
    sessions[node] = session
    return session
  }
}
