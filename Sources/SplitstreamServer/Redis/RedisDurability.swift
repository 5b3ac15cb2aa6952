/// Whether a Redis keeps what it has acknowledged, by what it says of itself.
struct RedisDurability: CustomStringConvertible {
  /// In the order in which the answers are expected.
  static let questions = [
    RedisCommand.words("CONFIG", "GET", "appendonly", "appendfsync", "maxmemory-policy"),
    RedisCommand.words("INFO", "replication"), RedisCommand.words("INFO", "cluster"),
  ]

  /// What must hold, and what is lost where it does not.
  private static let demands = [
    (name: "appendonly", value: "yes", risk: "accepted events are lost when Redis ends"),
    (
      name: "appendfsync", value: "always",
      risk: "a crash loses accepted events, with everysec those of about a second"
    ),
    (
      name: "maxmemory-policy", value: "noeviction",
      risk: "accepted events are lost when it is full"
    ),
  ]

  private var settings: [String: String] = [:]

  init(_ answers: [RedisReply]) {
    for answer in answers {
      switch answer {
      case .array(let items):
        let texts = items.map { if case .bytes(let bytes) = $0 { text(bytes) } else { "" } }
        for place in stride(from: 0, to: texts.count - 1, by: 2) {
          settings[texts[place]] = texts[place + 1]
        }
      case .bytes(let bytes):
        for line in text(bytes).split(whereSeparator: \.isNewline) {
          let parts = line.split(separator: ":", maxSplits: 1)
          if parts.count == 2 { settings[String(parts[0])] = String(parts[1]) }
        }
      default: break
      }
    }
  }

  /// What it says, for the log.
  var description: String {
    let names = Self.demands.map(\.name) + ["role", "connected_slaves"]
    return names.map { "\($0) \(settings[$0] ?? "unknown")" }.joined(separator: ", ")
  }

  /// One sentence for each demand that is not met; none is good.
  func shortfalls(of deployment: RedisDeployment) -> [String] {
    guard !settings.isEmpty else { return ["Redis does not say how durable it is"] }
    var shortfalls = Self.demands.compactMap { demand -> String? in
      let value = settings[demand.name]
      if value == demand.value { return nil }
      return
        "Redis has \(demand.name) \(value ?? "unknown") instead of \(demand.value): \(demand.risk)"
    }
    let replicas = settings["connected_slaves"].flatMap { Int($0) } ?? 0
    if replicas < deployment.replicasMin {
      shortfalls.append(
        "Redis has \(replicas) replicas and redis.wait_replicas is \(deployment.replicasMin): "
          + "events are answered 503 until there are as many")
    } else if replicas > 0, deployment.replicasMin == 0 {
      shortfalls.append(
        "Redis has \(replicas) replicas and redis.wait_replicas is 0: "
          + "a promotion loses accepted events that had not reached the replica")
    }
    if let isCluster = settings["cluster_enabled"], (isCluster == "1") != deployment.isCluster {
      shortfalls.append(
        "Redis has cluster_enabled \(isCluster) and redis.cluster is \(deployment.isCluster): "
          + "events are answered 503")
    }
    return shortfalls
  }
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
