import Foundation

@testable import SplitstreamServer

/// A migrated database for the tests of Storage and Jobs.
///
/// Most share one, where each keeps to ids of its own; what looks at whole tables takes one for
/// itself.
struct StorageTesting: Sendable {
  let postgresURL: String
  /// Events of one test are in a Redis database of its own too.
  let redisURL: String

  static func shared() throws -> StorageTesting { try sharedResult.get() }
  private static let sharedResult = Result {
    let stores = try separate()
    let session = try stores.session()
    defer { session.close() }
    // Now, and not while a test adds rows to `events` by itself.
    try EventPartitions(session: session).make()
    return stores
  }

  static func separate() throws -> StorageTesting {
    let stores = StorageTesting(
      postgresURL: try TestServers.shared.postgresURL(database: "storage"),
      redisURL: TestServers.shared.redisDatabaseURL())
    let session = try stores.session()
    defer { session.close() }
    _ = try Migrator(session: session).apply(Schema.migrations)
    return stores
  }

  func session(named name: String = "storage tests") throws -> PostgresSession {
    try PostgresSession.patient(to: postgresURL, applicationName: name)
  }

  func redis() throws -> RedisSession { try RedisSession(to: RedisAddress(parsing: redisURL)) }

  /// Runs `body` on a loop of its own with connections of its own.
  func onLoop<Value: Sendable>(
    connections: Int = 2, _ body: @escaping @Sendable (Database, EventLoop) async throws -> Value
  ) async throws -> Value {
    try await LoopRunner.run { loop in
      let address = try PostgresAddress(parsing: postgresURL)
      let pipelines = (0..<connections).map { _ in
        PostgresPipeline(
          to: address, applicationName: "storage tests", timeoutSeconds: 20, on: loop)
      }
      defer { for pipeline in pipelines { pipeline.close() } }
      return try await body(Database(pipelines), loop)
    }
  }

  /// The first column of each row of a query as text; the query sees `values` as $1, $2, …
  func texts(_ sql: String, _ values: PostgresValue...) throws -> [String] {
    let session = try session()
    defer { session.close() }
    return try session.rows(Statement(name: "test", sql: sql), values) {
      row throws(PostgresError) in try row.text(0)
    }
  }

  /// The only number that a query answers.
  func count(_ sql: String, _ values: PostgresValue...) throws -> Int {
    let session = try session()
    defer { session.close() }
    return try session.rows(Statement(name: "test", sql: sql), values) {
      row throws(PostgresError) in try row.int(0)
    }[0]
  }

  /// Asks until the query counts something, for what gives no signal by itself.
  func waitUntil(_ sql: String, _ values: PostgresValue...) async throws {
    let statement = Statement(name: "test", sql: sql)
    try await eventually(sql) {
      try await onThread {
        let session = try session()
        defer { session.close() }
        return try session.rows(statement, values) { row throws(PostgresError) in
          try row.int(0)
        }[0] > 0
      }
    }
  }
}

/// Runs what waits for another test's or process's work on a thread of its own: the threads that
/// run tests are as few as the cores, and the work may need one of them.
func onThread<Value: Sendable>(
  _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}

extension ULID {
  /// An id that no other test has.
  static func new(at time: Timestamp = ServerClock.processTime()) -> ULID {
    ULID(time: time, random: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
  }

  /// As PostgreSQL prints it.
  var uuidText: String {
    let digits = bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
    return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }
      .joined(separator: "-")
  }
}

extension UnitID {
  /// A unit written in a test.
  static func named(_ text: String) throws -> UnitID {
    guard let unit = UnitID(text) else { throw UnfitUnit(text: text) }
    return unit
  }

  private struct UnfitUnit: Error { let text: String }
}

extension RunningExperiment {
  /// An experiment that only this process knows; the hot tables hold no reference to another table.
  static func sample(
    mode: ExperimentDefinition.AssignmentMode = .managed, weights: [Int] = [50, 50]
  ) throws -> RunningExperiment {
    let variants = weights.indices.map { index in
      Variant(id: .new(), key: "v\(index)", weight: weights[index], isControl: index == 0)
    }
    return try make(
      .new(), mode, variants, WeightEpoch(number: 1, allocation: Allocation(weights: weights)))
  }

  /// The same experiment after a change of weights.
  func reweighted(to weights: [Int]) throws -> RunningExperiment {
    try Self.make(
      id, assignmentMode, variants,
      WeightEpoch(number: epoch + 1, allocation: allocation.reweighted(to: weights)))
  }

  private static func make(
    _ id: ULID, _ mode: ExperimentDefinition.AssignmentMode, _ variants: [Variant],
    _ epoch: WeightEpoch
  ) throws -> RunningExperiment {
    let experiment = Experiment(
      id: id, workspaceID: .new(),
      definition: ExperimentDefinition(
        environmentID: .new(), key: "sample", name: "Sample", hypothesis: "", unitType: .user,
        assignmentMode: mode, variants: variants),
      status: .running, weightEpoch: epoch, version: 1, createdAt: ServerClock.processTime())
    guard let running = RunningExperiment(experiment, segments: [:]) else { throw NotRunning() }
    return running
  }

  private struct NotRunning: Error {}
}

extension RedisCaller {
  /// The number that a command on one key answers; 0 for nothing.
  func number(_ command: String, _ key: [UInt8], _ rest: [UInt8]...) throws -> Int {
    switch try self.command([[UInt8](command.utf8), key] + rest) {
    case .integer(let number): number
    case .bytes(let digits): Int(String(decoding: digits, as: UTF8.self)) ?? 0
    default: 0
    }
  }

  /// The members of a list.
  func list(_ key: [UInt8]) throws -> [[UInt8]] {
    let all = RedisTesting.words("0", "-1")
    guard case .array(let members) = try command([[UInt8]("LRANGE".utf8), key] + all) else {
      return []
    }
    return members.compactMap { if case .bytes(let bytes) = $0 { bytes } else { nil } }
  }
}
