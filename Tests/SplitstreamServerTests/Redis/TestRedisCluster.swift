import Foundation

@testable import SplitstreamServer

/// A Redis Cluster of three masters on loopback, of a test's own.
final class TestRedisCluster: Sendable {
  private let directory = TestDirectory.make("ss-redis-cluster")
  private let processes: [TestProcess]
  let ports: [Int]

  init() throws {
    ports = try (0..<3).map { _ in try FreePort.take() }
    processes = ports.map { _ in TestProcess() }
    for (port, process) in zip(ports, processes) {
      let own = "\(directory)/\(port)"
      try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
      process.start(
        "setpriv",
        [
          "--pdeathsig=KILL", "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--dir",
          own, "--cluster-enabled", "yes", "--appendonly", "yes", "--save", "",
          "--cluster-node-timeout", "60000",
        ])
    }
    for port in ports {
      TestProcess.waitUntil("a node of the cluster answers") { (try? session(port)) != nil }
    }
    try build()
  }

  var url: String { "redis://127.0.0.1:\(ports[0])" }

  func session(_ port: Int) throws -> RedisSession {
    try RedisSession(to: RedisAddress(parsing: "redis://127.0.0.1:\(port)"))
  }

  func remove() {
    for process in processes { process.kill(SIGKILL) }
    TestDirectory.remove(directory)
  }

  /// The port of the master that has the slot.
  func owner(of slot: Int) throws -> Int {
    let map = try session(ports[0]).command(RedisRoutes.map)
    guard case .array(let ranges) = map else { return 0 }
    for case .array(let range) in ranges {
      if case .integer(let first) = range[0], case .integer(let last) = range[1],
        (first...last).contains(slot), case .array(let master) = range[2],
        case .integer(let port) = master[1]
      {
        return port
      }
    }
    return 0
  }

  /// Begins to move a slot: from now on the target takes what is new, and the source what it has.
  func beginMove(of slot: Int, from source: Int, to target: Int) throws {
    let (here, there) = (try session(source), try session(target))
    try setSlot(slot, "IMPORTING", id(here), on: there)
    try setSlot(slot, "MIGRATING", id(there), on: here)
  }

  /// Moves up to `count` of its keys.
  func moveKeys(of slot: Int, from source: Int, to target: Int, count: Int) throws {
    let here = try session(source)
    let list = RedisTesting.words("CLUSTER", "GETKEYSINSLOT", "\(slot)", "\(count)")
    guard case .array(let keys) = try here.command(list) else { return }
    for case .bytes(let key) in keys {
      _ = try here.command(
        RedisTesting.words("MIGRATE", "127.0.0.1", "\(target)") + [key]
          + RedisTesting.words("0", "5000"))
    }
  }

  func endMove(of slot: Int, to target: Int) throws {
    let owner = try id(session(target))
    // The target first: while nobody owned the slot, commands would go round.
    for port in [target] + ports.filter({ $0 != target }) {
      try setSlot(slot, "NODE", owner, on: session(port))
    }
  }

  private func setSlot(_ slot: Int, _ state: String, _ id: String, on node: RedisSession) throws {
    _ = try node.command(RedisTesting.words("CLUSTER", "SETSLOT", "\(slot)", state, id))
  }

  private func id(_ node: RedisSession) throws -> String {
    guard case .bytes(let id) = try node.command(RedisTesting.words("CLUSTER", "MYID")) else {
      return ""
    }
    return String(decoding: id, as: UTF8.self)
  }

  /// Gives each master a third of the slots and waits until they agree.
  private func build() throws {
    let bounds = [0, 5461, 10923, 16384]
    for (number, port) in ports.enumerated() {
      let node = try session(port)
      let range = ["\(bounds[number])", "\(bounds[number + 1] - 1)"]
      _ = try node.command(RedisTesting.words("CLUSTER", "ADDSLOTSRANGE", range[0], range[1]))
      _ = try node.command(RedisTesting.words("CLUSTER", "SET-CONFIG-EPOCH", "\(number + 1)"))
    }
    let first = try session(ports[0])
    for port in ports.dropFirst() {
      _ = try first.command(RedisTesting.words("CLUSTER", "MEET", "127.0.0.1", "\(port)"))
    }
    for port in ports {
      TestProcess.waitUntil("the cluster is whole") {
        guard let node = try? session(port),
          case .bytes(let info)? = try? node.command(RedisTesting.words("CLUSTER", "INFO"))
        else { return false }
        let text = String(decoding: info, as: UTF8.self)
        return text.contains("cluster_state:ok") && text.contains("cluster_known_nodes:3")
      }
    }
  }
}
