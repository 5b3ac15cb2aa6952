/// Which node of a Redis Cluster answers for a slot, as far as is known, and what to do when it
/// does not: the cluster itself says who has moved where.
struct RedisRoutes {
  typealias Node = RedisAddress.Endpoint

  /// How often one call follows the cluster's word or waits for it.
  static let hopsMax = 10
  /// While a slot is being moved, or a replica is being promoted.
  static let pauseSeconds = 0.05

  /// All that have been heard of; any of them knows who has a slot.
  private(set) var nodes: [Node]
  private var owners: [Int: Node] = [:]
  /// Who is asked for a slot that nobody is known to have.
  private var asked = 0

  init(seed: Node) { nodes = [seed] }

  /// Those that own the slots used so far; before the first, the one to ask.
  var inUse: Set<Node> { owners.isEmpty ? [nodes[asked]] : Set(owners.values) }

  func node(of slot: Int) -> Node { owners[slot] ?? nodes[asked] }

  /// Where a call goes next.
  struct Hop: Equatable {
    var node: Node
    /// The node is only about to get the slot: it answers after ASKING.
    var isAsking = false
    var pauseSeconds = 0.0
  }

  /// What to do after an error of `node`; nil when the caller must be told.
  mutating func hop(after error: RedisError, from node: Node, slot: Int) -> Hop? {
    switch error {
    case .server(let message):
      let words = message.split(separator: " ")
      switch words.first {
      case "MOVED":
        guard let target = Self.target(words, of: node) else { return nil }
        add(target)
        owners[slot] = target
        return Hop(node: target)
      case "ASK":
        guard let target = Self.target(words, of: node) else { return nil }
        add(target)
        return Hop(node: target, isAsking: true)
      case "TRYAGAIN", "CLUSTERDOWN": return Hop(node: node, pauseSeconds: Self.pauseSeconds)
      case "READONLY":
        forget(node, slot)
        return Hop(node: self.node(of: slot), pauseSeconds: Self.pauseSeconds)
      default: return nil
      }
    case .unavailable:
      forget(node, slot)
      return Hop(node: self.node(of: slot), pauseSeconds: Self.pauseSeconds)
    case .timeout, .lost:
      forget(node, slot)
      return nil
    case .invalidAddress: return nil
    }
  }

  /// Hears of nodes by the answer to CLUSTER SLOTS: ranges, each with its master and replicas.
  mutating func learn(_ slots: RedisReply, from node: Node) {
    guard case .array(let ranges) = slots else { return }
    for case .array(let range) in ranges {
      for case .array(let entry) in range where entry.count >= 2 {
        guard case .integer(let port) = entry[1], let port = Int32(exactly: port) else { continue }
        var host = ""
        if case .bytes(let bytes) = entry[0] { host = String(decoding: bytes, as: UTF8.self) }
        add(Self.node(host, port, of: node))
      }
    }
  }

  static let map = RedisCommand.words("CLUSTER", "SLOTS")

  private mutating func add(_ node: Node) {
    if !nodes.contains(node) { nodes.append(node) }
  }

  /// The node does not answer, or no longer for this slot: somebody else will know.
  private mutating func forget(_ node: Node, _ slot: Int) {
    owners[slot] = nil
    if nodes[asked] == node { asked = (asked + 1) % nodes.count }
  }

  /// `MOVED 3999 127.0.0.1:6381`; the host may be left out, and an IPv6 address has no brackets.
  private static func target(_ words: [Substring], of node: Node) -> Node? {
    guard words.count == 3, let colon = words[2].lastIndex(of: ":"),
      let port = Int32(words[2][words[2].index(after: colon)...]), (1...65535).contains(port)
    else { return nil }
    return self.node(String(words[2][..<colon]), port, of: node)
  }

  /// A node that does not know its own name is where it was asked.
  private static func node(_ host: String, _ port: Int32, of asked: Node) -> Node {
    if host.isEmpty, case .tcp(let own, _) = asked { return .tcp(host: own, port: port) }
    return .tcp(host: host, port: port)
  }
}

/// The 16,384 parts of a cluster's keys.
enum RedisSlot {
  /// Redis Cluster specification: CRC16 of the key, or of what stands in its first braces.
  static func of(_ key: [UInt8]) -> Int {
    var hashed = key[...]
    if let open = key.firstIndex(of: UInt8(ascii: "{")) {
      let rest = key[(open + 1)...]
      if let close = rest.firstIndex(of: UInt8(ascii: "}")), close > open + 1 {
        hashed = rest[..<close]
      }
    }
    return Int(crc16(hashed) % 16384)
  }

  /// CRC-16/XMODEM: polynomial 0x1021, from 0.
  private static func crc16(_ bytes: ArraySlice<UInt8>) -> UInt16 {
    bytes.reduce(0) { crc, byte in
      (0..<8).reduce(crc ^ UInt16(byte) << 8) { crc, _ in
        crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021
      }
    }
  }
}
