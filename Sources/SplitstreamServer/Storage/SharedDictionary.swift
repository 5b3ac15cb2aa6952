/// A dictionary whose copies share all but what was changed since: one change costs its part, not
/// the whole.
struct SharedDictionary<Key: Spread & Sendable, Value: Sendable>: Sendable {
  private var parts = [[Key: Value]](repeating: [:], count: partCount)
  private static var partCount: Int { 256 }

  var values: some Sequence<Value> { parts.lazy.flatMap(\.values) }

  subscript(key: Key) -> Value? {
    get { parts[Self.place(of: key)][key] }
    set { parts[Self.place(of: key)][key] = newValue }
  }

  private static func place(of key: Key) -> Int {
    Int(truncatingIfNeeded: key.spread % UInt64(partCount))
  }
}

/// What falls evenly into the parts of a `SharedDictionary`.
protocol Spread: Hashable {
  /// Cheap to compute; its low bits differ as the values do.
  var spread: UInt64 { get }
}

extension ULID: Spread {
  /// Random bits.
  var spread: UInt64 { low }
}

extension ExperimentKey: Spread {
  /// FNV-1a.
  var spread: UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
