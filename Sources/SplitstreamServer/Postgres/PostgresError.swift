/// Why PostgreSQL did not do what it was asked for.
enum PostgresError: Error, Equatable, Sendable {
  /// The connection URL cannot be used. Its text is left out: it may hold a password.
  case invalidAddress
  /// Nothing was sent: there is no connection, or too much waits for its answer already.
  case unavailable(String)
  /// No answer in time. Outcome unknown: what was sent may have been committed.
  case timeout
  /// The connection ended before the answer. Outcome unknown: what was sent may have been
  /// committed.
  case lost(String)
  /// The server refused, and the transaction changed nothing.
  case server(PostgresServerError)
  /// The result is not what its decoding expects: a programmer's mistake. The transaction was
  /// committed.
  case decoding(String)

  /// Whether the transaction may have been committed although an error was thrown.
  var isOutcomeUnknown: Bool {
    switch self {
    case .timeout, .lost, .decoding: true
    case .invalidAddress, .unavailable, .server: false
    }
  }

  /// The five characters of the server's error, nil when it is not the server's.
  var sqlState: String? {
    if case .server(let error) = self { error.sqlState } else { nil }
  }

  /// The prepared statement is gone (26000), or its columns have changed since (0A000): it must be
  /// prepared anew.
  var meansPreparedAnew: Bool { sqlState == "26000" || sqlState == "0A000" }

  /// Whether the server refused because of the constraint or unique index of this name.
  func violates(_ constraint: String) -> Bool {
    if case .server(let error) = self { error.constraint == constraint } else { false }
  }
}

/// What the server said when it refused a statement. For the log only: it may quote parameters.
struct PostgresServerError: Error, Equatable, Sendable {
  /// Appendix A of PostgreSQL's manual, for example 23505 for a unique violation.
  let sqlState: String
  let message: String
  let detail: String?
  /// The constraint or unique index that was violated.
  let constraint: String?

  init(sqlState: String, message: String, detail: String? = nil, constraint: String? = nil) {
    self.sqlState = sqlState
    self.message = message
    self.detail = detail
    self.constraint = constraint
  }
}
