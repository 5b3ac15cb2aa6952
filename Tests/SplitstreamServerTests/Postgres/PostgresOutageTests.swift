import Glibc
import Testing

@testable import SplitstreamServer

/// R15: PostgreSQL may be killed, stopped or paused at any time; callers are told, and the pipeline
/// recovers by itself.
@Suite struct PostgresOutageTests {
  @Test("a connection that ends takes its calls with it, outcome unknown, and is replaced")
  func terminated() async throws {
    let url = try TestServers.shared.postgresURL()
    try await PostgresTesting.withPipeline(url) { pipeline, loop in
      let backend = try await pipeline.rows(PostgresTesting.backend, [], PostgresTesting.int)
      var events = pipeline.events().makeAsyncIterator()
      let sleepers = (0..<3).map { _ in
        loop.start(with: pipeline) { pipeline in
          await failure { () throws(PostgresError) in
            try await pipeline.execute(PostgresTesting.sleep, [.double(25)])
          }
        }
      }
      let terminate = Statement(name: "t", sql: "SELECT pg_terminate_backend($1::bigint::int)")
      try PostgresTesting.session(url).execute(terminate, [.int(backend[0])])
      let reason = PostgresError.lost("terminating connection due to administrator command")
      for sleeper in sleepers { #expect(try await sleeper.value == reason) }
      let next = await failure { () throws(PostgresError) in
        try await pipeline.execute(PostgresTesting.backend, [])
      }
      #expect(next == .unavailable("not connected"))
      #expect(await events.next() == .disconnected(reason, retrySeconds: 0.05))
      #expect(await events.next() == .connected)
      #expect(try await pipeline.rows(PostgresTesting.backend, [], PostgresTesting.int) != backend)
    }
  }

  @Test("a server that does not answer costs a time-out, and the connection is replaced")
  func paused() async throws {
    let url = try TestServers.shared.postgresURL()
    try await PostgresTesting.withPipeline(url, timeoutSeconds: 5) { pipeline, loop in
      let backend = try await pipeline.rows(PostgresTesting.backend, [], PostgresTesting.int)[0]
      var events = pipeline.events().makeAsyncIterator()
      kill(pid_t(backend), SIGSTOP)
      defer { kill(pid_t(backend), SIGCONT) }
      let calls = (0..<3).map { _ in
        loop.start(with: pipeline) { pipeline in
          await failure { () throws(PostgresError) in
            try await pipeline.execute(PostgresTesting.backend, [])
          }
        }
      }
      for call in calls { #expect(try await call.value == .timeout) }
      #expect(await events.next() == .disconnected(.timeout, retrySeconds: 0.05))
      while await events.next() != .connected {}
      #expect(
        try await pipeline.rows(PostgresTesting.backend, [], PostgresTesting.int) != [backend])
    }
  }

  @Test("bytes above the limit are refused at once, and none is kept after the answers")
  func bytesLimit() async throws {
    let url = try TestServers.shared.postgresURL()
    try await PostgresTesting.withPipeline(url, timeoutSeconds: 15) { pipeline, loop in
      let backend = try await pipeline.rows(PostgresTesting.backend, [], PostgresTesting.int)[0]
      var events = pipeline.events().makeAsyncIterator()
      kill(pid_t(backend), SIGSTOP)
      defer { kill(pid_t(backend), SIGCONT) }
      let length = Statement(name: "length", sql: "SELECT length($1::bytea)")
      let quarter = [UInt8](repeating: 1, count: PostgresPipeline.bytesInFlightMax / 4 - 100)
      let calls = (0..<5).map { _ in
        loop.start(with: pipeline) { pipeline in
          await failure { () throws(PostgresError) in
            try await pipeline.execute(length, [.bytes(quarter)])
          }
        }
      }
      #expect(try await calls[4].value == .unavailable("too much waits for answers"))
      for call in calls[..<4] { #expect(try await call.value == .timeout) }
      while await events.next() != .connected {}
      #expect(
        try await pipeline.rows(length, [.bytes(quarter)], PostgresTesting.int) == [quarter.count])
      #expect(pipeline.inFlightCount == 0)
    }
  }

  @Test("the server itself ends a statement that is too slow, and the connection stays")
  func slow() async throws {
    let url = try TestServers.shared.postgresURL()
    try await PostgresTesting.withPipeline(url, timeoutSeconds: 10) { pipeline, _ in
      let backend = try await pipeline.rows(PostgresTesting.backend, [], PostgresTesting.int)
      let error = await failure { () throws(PostgresError) in
        try await pipeline.execute(PostgresTesting.sleep, [.double(60)])
      }
      #expect(error?.sqlState == "57014")
      #expect(try await pipeline.rows(PostgresTesting.backend, [], PostgresTesting.int) == backend)
    }
  }

  @Test("a server that is down at first, comes, crashes and comes again")
  func restarted() async throws {
    let server = TestPostgres()
    defer { server.remove() }
    try await PostgresTesting.withPipeline(server.url("postgres")) { pipeline, loop in
      var events = pipeline.events().makeAsyncIterator()
      let early = await failure { () throws(PostgresError) in
        try await pipeline.execute(PostgresTesting.backend, [])
      }
      #expect(early == .unavailable("not connected"))
      for _ in 0..<2 {
        server.start()
        while await events.next() != .connected {}
        try await pipeline.execute(PostgresTesting.backend, [])
        let sleeper = loop.start(with: pipeline) { pipeline in
          await failure { () throws(PostgresError) in
            try await pipeline.execute(PostgresTesting.sleep, [.double(25)])
          }
        }
        server.kill()
        #expect(try await sleeper.value?.isOutcomeUnknown == true)
        guard case .disconnected = await events.next() else {
          Issue.record("not told of the end")
          return
        }
        #expect(!pipeline.isConnected)
      }
    }
  }

  @Test("closing answers everybody")
  func closed() async throws {
    let url = try TestServers.shared.postgresURL()
    try await PostgresTesting.withPipeline(url) { pipeline, loop in
      try await pipeline.execute(PostgresTesting.backend, [])
      let sleeper = loop.start(with: pipeline) { pipeline in
        await failure { () throws(PostgresError) in
          try await pipeline.execute(PostgresTesting.sleep, [.double(25)])
        }
      }
      pipeline.close()
      #expect(try await sleeper.value == .lost("closed"))
      let late = await failure { () throws(PostgresError) in
        try await pipeline.execute(PostgresTesting.backend, [])
      }
      #expect(late == .unavailable("not connected"))
    }
  }

  @Test(
    "a URL that cannot be used is refused without being quoted",
    arguments: ["x", "postgres://a:b@[", "http://h"])
  func address(url: String) {
    #expect(throws: PostgresError.invalidAddress) { try PostgresAddress(parsing: url) }
  }

  @Test("an address describes itself without its password")
  func description() throws {
    let address = try PostgresAddress(parsing: "postgres://me:secret@db.example:6543/shop")
    #expect("\(address)" == "db.example:6543/shop")
  }
}
