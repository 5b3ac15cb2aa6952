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
  /// Eight bytes at a time, each word multiplied by an odd number and both halves of the product
  /// folded together.
  var spread: UInt64 {
    bytes.withUnsafeBytes { bytes in
      var hash = UInt64(bytes.count)
      var index = 0
      while index < bytes.count {
        var word: UInt64 = 0
        if index + 8 <= bytes.count {
          word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        } else {
          for rest in index..<bytes.count { word = word << 8 | UInt64(bytes[rest]) }
        }
        let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        hash = product.high ^ product.low
        index += 8
      }
      return hash
    }
  }
}
