/// Statements that go to the server together and are one transaction: all of them happen, or none.
///
///     var batch = PostgresBatch()
///     let created = batch.rows(Self.insert, [.text(key)], Experiment.init)
///     batch.execute(Self.audit, [.text("experiment.created")])
///     try await pipeline.run(batch)
///     return created.values
struct PostgresBatch {
  private(set) var steps: [Step] = []

  var isEmpty: Bool { steps.isEmpty }

  /// How much the parameters hold.
  var byteCount: Int { steps.reduce(0) { $0 + $1.parameters.byteCount } }

  /// Adds a statement; its rows are there once the batch has run.
  @discardableResult
  mutating func rows<T>(
    _ statement: Statement, _ values: [PostgresValue],
    _ decode: @escaping (Row) throws(PostgresError) -> T
  ) -> Rows<T> {
    let rows = Rows<T>()
    add(statement, values) { result throws(PostgresError) in
      rows.values = try result.rows(decode)
    }
    return rows
  }

  /// Adds a statement; the number of rows that it wrote is there once the batch has run.
  @discardableResult
  mutating func execute(_ statement: Statement, _ values: [PostgresValue]) -> Count {
    let count = Count()
    add(statement, values) { result in count.value = result.affectedRows }
    return count
  }

  private mutating func add(
    _ statement: Statement, _ values: [PostgresValue],
    _ consume: @escaping (borrowing PostgresResult) throws(PostgresError) -> Void
  ) {
    steps.append(
      Step(statement: statement, parameters: PostgresParameters(values), consume: consume))
  }

  /// The decoded rows of one statement. They count only when the batch has returned without an
  /// error.
  final class Rows<T> {
    fileprivate(set) var values: [T] = []
  }

  /// How many rows one statement wrote.
  final class Count {
    fileprivate(set) var value = 0
  }

  /// One statement of a batch, and what becomes of its result.
  struct Step {
    let statement: Statement
    let parameters: PostgresParameters
    let consume: (borrowing PostgresResult) throws(PostgresError) -> Void
  }
}
