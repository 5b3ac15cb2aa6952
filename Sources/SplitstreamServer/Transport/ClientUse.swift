import Synchronization

/// What the clients of a process take together, over all of its loops.
final class ClientUse: Sendable {
  private let bodies = Atomic(0)
  private let connections = Atomic(0)
  /// Open connections of each address, and who waits for room. Taken when a connection comes or
  /// goes, never for a request.
  private let clients = Mutex(Clients())

  private struct Clients {
    var counts: [IPAddress: Int] = [:]
    var waiting: [@Sendable () -> Void] = []
  }

  /// Bytes of bodies that are being received or answered.
  var bodyBytes: Int { bodies.load(ordering: .relaxed) }
  var connectionCount: Int { connections.load(ordering: .relaxed) }

  /// Counts so many more bytes of bodies, or fewer. False: there would be more than `max`, and
  /// nothing was counted.
  func holdBodyBytes(_ change: Int, max: Int) -> Bool {
    let total = bodies.add(change, ordering: .relaxed).newValue
    if change <= 0 || total <= max { return true }
    bodies.subtract(change, ordering: .relaxed)
    return false
  }

  /// Counts a connection before it is accepted. False: there are `max`, and nothing was counted.
  func reserveConnection(max: Int) -> Bool {
    if connections.add(1, ordering: .relaxed).newValue <= max { return true }
    connections.subtract(1, ordering: .relaxed)
    return false
  }

  /// Takes back a reservation: there was nobody, or nobody who may come in.
  func releaseConnection() {
    connections.subtract(1, ordering: .relaxed)
    let waiting = clients.withLock { exchange(&$0.waiting, with: []) }
    for action in waiting { action() }
  }

  /// Calls `action`, once, on whatever thread, when a connection has gone.
  func whenConnectionGoes(_ action: @escaping @Sendable () -> Void) {
    clients.withLock { $0.waiting.append(action) }
  }

  /// Counts a reserved connection's address. False: it has `max` already.
  func enter(_ address: IPAddress, max: Int) -> Bool {
    clients.withLock { clients in
      let count = clients.counts[address.client, default: 0]
      if count < max { clients.counts[address.client] = count + 1 }
      return count < max
    }
  }

  /// The connection has gone.
  func leave(_ address: IPAddress) {
    clients.withLock { clients in
      let count = clients.counts[address.client, default: 0]
      clients.counts[address.client] = count > 1 ? count - 1 : nil
    }
    releaseConnection()
  }
}

extension IPAddress {
  /// Whom an address stands for: with IPv6 a client has a whole /64 (RFC 6177).
  fileprivate var client: IPAddress { isVersion4 ? self : IPAddress(high: high, low: 0) }
}
