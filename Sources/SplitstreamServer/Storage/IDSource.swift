/// Makes the ids of one loop, by the server's clock. Loop-owned.
final class IDSource {
  private let clock: ServerClock
  private var generator: ULIDGenerator

  init(clock: ServerClock) {
    self.clock = clock
    generator = ULIDGenerator(refill: Self.randomWords)
  }

  func make() -> ULID { generator.make(at: clock.now) }
  func make(at time: Timestamp) -> ULID { generator.make(at: time) }

  /// Many at once: each call is a system call.
  static func randomWords() -> [UInt64] {
    let bytes = Sodium.randomBytes(2048)
    return stride(from: 0, to: bytes.count, by: 8).map { start in
      bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
  }
}
