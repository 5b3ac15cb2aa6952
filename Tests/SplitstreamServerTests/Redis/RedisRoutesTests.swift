import Testing

@testable import SplitstreamServer

/// Where a call on a cluster goes, and where it goes next.
@Suite struct RedisRoutesTests {
  private typealias Node = RedisRoutes.Node
  private let seed = Node.tcp(host: "10.0.0.1", port: 7000)
  private let other = Node.tcp(host: "10.0.0.2", port: 7001)

  /// The values are of `CLUSTER KEYSLOT`.
  @Test(
    "slots are the cluster's",
    arguments: [
      ("foo", 12182), ("123456789", 12739), ("splitstream:{7}:events", 1716), ("{}bar", 6479),
      ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015), ("", 0),
    ])
  func slots(key: String, slot: Int) { #expect(RedisSlot.of([UInt8](key.utf8)) == slot) }

  @Test("MOVED is remembered, ASK is for once")
  func redirections() {
    var routes = RedisRoutes(seed: seed)
    #expect(routes.node(of: 5) == seed)
    let moved = routes.hop(after: .server("MOVED 5 10.0.0.2:7001"), from: seed, slot: 5)
    #expect(moved == .init(node: other))
    #expect(routes.node(of: 5) == other)
    #expect(routes.node(of: 6) == seed)
    let ask = routes.hop(after: .server("ASK 5 10.0.0.3:7002"), from: other, slot: 5)
    #expect(ask == .init(node: .tcp(host: "10.0.0.3", port: 7002), isAsking: true))
    #expect(routes.node(of: 5) == other)
    // A node that does not know its own name, and one of IPv6.
    _ = routes.hop(after: .server("MOVED 8 :7009"), from: other, slot: 8)
    #expect(routes.node(of: 8) == .tcp(host: "10.0.0.2", port: 7009))
    _ = routes.hop(after: .server("MOVED 9 ::1:7009"), from: other, slot: 9)
    #expect(routes.node(of: 9) == .tcp(host: "::1", port: 7009))
  }

  @Test("what passes is waited for, what is final is told")
  func passing() {
    var routes = RedisRoutes(seed: seed)
    for message in ["TRYAGAIN Multiple keys request", "CLUSTERDOWN The cluster is down"] {
      let hop = routes.hop(after: .server(message), from: seed, slot: 5)
      #expect(hop == .init(node: seed, pauseSeconds: RedisRoutes.pauseSeconds))
    }
    for error: RedisError in [
      .server("OOM command not allowed"), .timeout, .lost("closed"), .server("MOVED"),
      .server("MOVED 5 nowhere"), .server("MOVED 5 10.0.0.2:99999"),
    ] {
      #expect(routes.hop(after: error, from: seed, slot: 5) == nil)
    }
  }

  @Test("when a node is gone, another one is asked who has its slots")
  func gone() {
    var routes = RedisRoutes(seed: seed)
    func entry(_ host: String, _ port: Int) -> RedisReply {
      .array([.bytes([UInt8](host.utf8)), .integer(port), .bytes([1])])
    }
    let map: RedisReply = .array([
      .array([.integer(0), .integer(99), entry("10.0.0.1", 7000), entry("10.0.0.2", 7001)])
    ])
    routes.learn(map, from: seed)
    #expect(routes.nodes == [seed, other])
    let hop = routes.hop(after: .unavailable("not connected"), from: seed, slot: 5)
    #expect(hop?.node == other)
    // And back, when that one does not answer either.
    #expect(routes.hop(after: .unavailable("not connected"), from: other, slot: 5)?.node == seed)
  }
}
