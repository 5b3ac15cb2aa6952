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
