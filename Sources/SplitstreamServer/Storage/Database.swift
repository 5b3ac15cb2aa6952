/// One loop's connections to PostgreSQL, as the stores see them. Loop-owned.
///
/// Calls go round the connections, so that one slow commit does not hold up what does not wait for
/// it.
final class Database {
  private let connections: [PostgresPipeline]
  private var next = 0

  init(_ connections: [PostgresPipeline]) {
    precondition(!connections.isEmpty, "a loop needs a connection")
    self.connections = connections
  }

  var connectionCount: Int { connections.count }

  /// Whether some connection is open and answers what it is asked.
  var isAnswering: Bool { connections.contains(where: \.isAnswering) }

  /// The rows that one statement answers, in a transaction of its own.
  func rows<T>(
    _ statement: Statement, _ values: [PostgresValue],
    _ decode: @escaping (Row) throws(PostgresError) -> T
  ) async throws(StorageError) -> [T] {
    next = (next + 1) % connections.count
    do {
      return try await connections[next].rows(statement, values, decode)
    } catch {
      throw StorageError(error)
    }
  }

  /// The first row, if there is one.
  func row<T>(
    _ statement: Statement, _ values: [PostgresValue],
    _ decode: @escaping (Row) throws(PostgresError) -> T
  ) async throws(StorageError) -> T? {
    try await rows(statement, values, decode).first
  }

  /// How many rows the statement changed.
  @discardableResult
  func execute(_ statement: Statement, _ values: [PostgresValue]) async throws(StorageError) -> Int
  {
    next = (next + 1) % connections.count
    do {
      return try await connections[next].execute(statement, values)
    } catch {
      throw StorageError(error)
    }
  }

  /// Runs several statements as one transaction, in one round trip; each sees what was committed
  /// before it began.
  func transaction<Results>(
    _ build: (inout PostgresBatch) -> Results
  ) async throws(StorageError) -> Results {
    next = (next + 1) % connections.count
    do {
      return try await connections[next].transaction(build)
    } catch {
      throw StorageError(error)
    }
  }
}
