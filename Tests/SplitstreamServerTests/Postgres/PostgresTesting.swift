@testable import SplitstreamServer

/// What the tests of PostgreSQL share.
enum PostgresTesting {
  /// Runs `body` on a loop with a pipeline to the database, and closes it.
  static func withPipeline<Value: Sendable>(
    _ url: String, timeoutSeconds: Double = 30,
    _ body: @escaping @Sendable (PostgresPipeline, EventLoop) async throws -> Value
  ) async throws -> Value {
    try await LoopRunner.run { loop in
      let pipeline = try PostgresPipeline(
        to: PostgresAddress(parsing: url), applicationName: "pipeline tests",
        timeoutSeconds: timeoutSeconds, on: loop)
      defer { pipeline.close() }
      return try await body(pipeline, loop)
    }
  }

  static func session(_ url: String, timeoutSeconds: Double = 10) throws -> PostgresSession {
    try PostgresSession(
      to: PostgresAddress(parsing: url), applicationName: "session tests", connectSeconds: 60,
      timeoutSeconds: timeoutSeconds)
  }

  static let backend = Statement(name: "backend", sql: "SELECT pg_backend_pid()")
  static let sleep = Statement(name: "sleep", sql: "SELECT pg_sleep($1)::text")

  static func int(_ row: Row) throws(PostgresError) -> Int { try row.int(0) }
  static func text(_ row: Row) throws(PostgresError) -> String { try row.text(0) }
}

extension PostgresPipeline {
  /// The events from now on.
  func events() -> AsyncStream<Event> {
    let (stream, continuation) = AsyncStream.makeStream(of: Event.self)
    onEvent = { continuation.yield($0) }
    return stream
  }
}

/// The error of a call, nil when it returned.
func failure<Value>(of call: () async throws(PostgresError) -> Value) async -> PostgresError? {
  do throws(PostgresError) {
    _ = try await call()
    return nil
  } catch { return error }
}
