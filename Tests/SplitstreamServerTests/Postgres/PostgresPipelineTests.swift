import Testing

@testable import SplitstreamServer

/// What the stores build on: a call is a transaction, and each caller gets its own answer.
@Suite struct PostgresPipelineTests {
  @Test("a row comes back")
  func row() async throws {
    let url = try TestServers.shared.postgresURL()
    let sum = try await LoopRunner.run { loop in
      let pipeline = try PostgresPipeline(
        to: PostgresAddress(parsing: url), applicationName: "tests", timeoutSeconds: 5, on: loop)
      defer { pipeline.close() }
      return try await pipeline.rows(
        Statement(name: "sum", sql: "SELECT $1::bigint + $2::bigint"), [.int(2), .int(3)]
      ) { row throws(PostgresError) in try row.int(0) }
    }
    #expect(sum == [5])
  }
}
