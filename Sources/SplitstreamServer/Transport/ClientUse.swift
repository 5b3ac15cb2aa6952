import Synchronization

/// What the clients of a process take together, over all of its loops.
final class ClientUse: Sendable {
  private let bodies = Atomic(0)
  /// Open connections. Taken when one comes or goes, never for a request.
  private let connections = Mutex<[IPAddress: Int]>([:])

  /// Bytes of bodies that are being received or answered.
  var bodyBytes: Int { bodies.load(ordering: .relaxed) }

  /// Counts so many more bytes of bodies, or fewer. False: there would be more than `max`, and
  /// nothing was counted.
  func holdBodyBytes(_ change: Int, max: Int) -> Bool {
    let total = bodies.add(change, ordering: .relaxed).newValue
    if change <= 0 || total <= max { return true }
    bodies.subtract(change, ordering: .relaxed)
    return false
  }

  /// Counts a connection from this address. False: it has `max` already.
  func enter(_ address: IPAddress, max: Int) -> Bool {
    connections.withLock { connections in
      let count = connections[address.client, default: 0]
      if count < max { connections[address.client] = count + 1 }
      return count < max
    }
  }

  func leave(_ address: IPAddress) {
    connections.withLock { connections in
      let count = connections[address.client, default: 0]
      connections[address.client] = count > 1 ? count - 1 : nil
    }
  }
}

extension IPAddress {
  /// Whom an address stands for: with IPv6 a client has a whole /64 (RFC 6177).
  fileprivate var client: IPAddress { isVersion4 ? self : IPAddress(high: high, low: 0) }
}
