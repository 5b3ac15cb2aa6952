import Synchronization

@testable import SplitstreamServer

/// Ports for servers that cannot choose one themselves: each is given out once.
enum FreePort {
  /// Below what Linux gives to those who ask for any port, so that nobody takes one in between.
  private static let range = 10_000..<22_000
  private static let next = Atomic<Int>(Int.random(in: 0..<range.count))

  /// A port on which nobody listens; nor 10,000 above it, where a node of a Redis Cluster has its
  /// bus.
  static func take() throws -> Int {
    for _ in range {
      let number = next.add(1, ordering: .relaxed).oldValue
      let port = range.lowerBound + number % range.count
      if isFree(port) && isFree(port + 10_000) { return port }
    }
    throw NoPortIsFree()
  }

  private static func isFree(_ port: Int) -> Bool {
    guard let listener = try? Listener.bind(host: "127.0.0.1", port: port, count: 1)[0] else {
      return false
    }
    listener.close()
    return true
  }

  private struct NoPortIsFree: Error {}
}
