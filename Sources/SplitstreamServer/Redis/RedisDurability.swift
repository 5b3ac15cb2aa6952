/// Whether a Redis keeps what it has acknowledged, by what it says of its own configuration.
enum RedisDurability {
  static let question = RedisCommand.words(
    "CONFIG", "GET", "appendonly", "appendfsync", "maxmemory-policy")

  /// What must hold, and what is lost where it does not.
  private static let demands = [
    (name: "appendonly", value: "yes", risk: "accepted events are lost when Redis ends"),
    (name: "appendfsync", value: "always", risk: "a crash loses events accepted just before"),
    (
      name: "maxmemory-policy", value: "noeviction",
      risk: "accepted events are lost when it is full"
    ),
  ]

  /// One sentence for each demand that is not met; none is good.
  static func shortfalls(in answer: RedisReply) -> [String] {
    guard case .array(let items) = answer else { return ["Redis does not say how durable it is"] }
    let texts = items.map { item -> String in
      if case .bytes(let bytes) = item { String(decoding: bytes, as: UTF8.self) } else { "" }
    }
    return demands.compactMap { demand in
      let place = stride(from: 0, to: texts.count - 1, by: 2).first { texts[$0] == demand.name }
      let value = place.map { texts[$0 + 1] }
      if value == demand.value { return nil }
      return
        "Redis has \(demand.name) \(value ?? "unknown") instead of \(demand.value): \(demand.risk)"
    }
  }
}
