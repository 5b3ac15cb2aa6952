@testable import SplitstreamServer

/// What the tests of accepted events share.
enum EventBufferTesting {
  static func event(
    _ clientEventID: String?, unit: String = "u", in environment: ULID
  ) throws -> Event {
    let now = ServerClock.processTime()
    return Event(
      id: .new(at: now), environmentID: environment, eventKey: "k", unitID: try .named(unit),
      occurredAt: now, properties: nil, clientEventID: clientEventID, isLate: false)
  }

  /// Runs `body` with a buffer whose events are in a Redis database of their own.
  static func withBuffer(
    backlogMax: Int = 100, connections: Int = 1,
    onMany: @escaping @Sendable () -> Void = {},
    url: String = TestServers.shared.redisDatabaseURL(),
    _ body: @escaping @Sendable (EventBuffer, RedisSession, EventLoop) async throws -> Void
  ) async throws {
    let address = try RedisAddress(parsing: url)
    try await LoopRunner.run { loop in
      let pipelines = (0..<connections).map { _ in
        RedisPipeline(to: address, scripts: [EventBuffer.accept], timeoutSeconds: 30, on: loop)
      }
      defer { for pipeline in pipelines { pipeline.close() } }
      let buffer = EventBuffer(redis: pipelines, backlogMax: backlogMax, loop: loop, onMany: onMany)
      try await body(buffer, RedisSession(to: address), loop)
    }
  }
}
