import Glibc

/// A bounded wait for what cannot be waited for otherwise. Blocks: never on an event loop.
struct Deadline: Sendable {
  private let end: UInt64

  init(seconds: Double) {
    end = EventLoop.monotonicNanoseconds() + UInt64(seconds * 1e9)
  }

  var isOver: Bool { EventLoop.monotonicNanoseconds() >= end }

  /// Asks every few milliseconds until there is an answer; nil when the time is over.
  func poll<Value>(_ question: () throws -> Value?) rethrows -> Value? {
    while true {
      if let answer = try question() { return answer }
      if isOver { return nil }
      usleep(5_000)
    }
  }
}
