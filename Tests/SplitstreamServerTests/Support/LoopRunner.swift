@testable import SplitstreamServer

/// Runs a test's body on an event loop of its own, with the loop as the executor.
enum LoopRunner {
  static func run<Value: Sendable>(
    _ body: @escaping @Sendable (EventLoop) async throws -> Value
  ) async throws -> Value {
    let loop = try EventLoop(index: 0)
    let thread = LoopThread.start(name: "test-loop") { loop.run() }
    defer {
      loop.stop()
      thread.join()
    }
    return try await Task(executorPreference: loop) { try await body(loop) }.value
  }
}

extension EventLoop {
  /// Starts `body` with a value of this loop, now and on this loop; it goes on while the caller
  /// does something else.
  func start<Owned, Value: Sendable>(
    with owned: Owned, _ body: @escaping @Sendable (Owned) async throws -> Value
  ) -> Task<Value, any Error> {
    let confined = LoopConfined(owned, to: self)
    return Task.immediate(executorPreference: self) { try await body(confined.value) }
  }
}
