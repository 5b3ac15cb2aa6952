/// What one Sync of a pipeline covers: the statements of a batch, or the preparation of one
/// statement.
final class PipelineCall {
  /// When the wait for the answer ends, in the loop's monotonic nanoseconds.
  let deadline: UInt64
  private let steps: [PostgresBatch.Step]
  private let finish: (PostgresError?) -> Void
  private var answered = 0
  private var error: PostgresError?

  /// `finish` is called exactly once, with nil after the server has committed.
  init(
    deadline: UInt64, steps: [PostgresBatch.Step], finish: @escaping (PostgresError?) -> Void
  ) {
    self.deadline = deadline
    self.steps = steps
    self.finish = finish
  }

  /// Takes the next result. The first error is the one to tell: those after it say only that the
  /// rest was skipped.
  ///
  /// More results than steps may come: an error of the commit itself stands between the last result
  /// and the Sync.
  func take(_ result: borrowing PostgresResult) {
    defer { answered += 1 }
    guard error == nil else { return }
    error = result.failure
    guard error == nil, answered < steps.count else { return }
    do throws(PostgresError) { try steps[answered].consume(result) } catch { self.error = error }
  }

  /// The Sync has come: only now is the transaction committed or rolled back.
  func end() { finish(error) }

  /// The connection ended before the Sync. What an error has decided already stays decided.
  func end(_ reason: PostgresError) { finish(error ?? reason) }
}

/// A statement on its way to being prepared on one connection, or there already.
final class Preparation {
  let statement: Statement
  /// Its name on the server: a statement that is prepared again gets a new one.
  let name: String
  var error: PostgresError?

  init(_ statement: Statement, name: String) {
    self.statement = statement
    self.name = name
  }
}
