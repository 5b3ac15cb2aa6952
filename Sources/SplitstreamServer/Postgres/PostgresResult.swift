import CPostgres

/// One result of libpq; freed with the value.
struct PostgresResult: ~Copyable {
  private let handle: OpaquePointer

  init(owning handle: OpaquePointer) {
    self.handle = handle
  }

  deinit { PQclear(handle) }

  var status: ExecStatusType { PQresultStatus(handle) }

  /// INSERT, UPDATE, DELETE, MERGE, COPY: rows written. SELECT: rows returned. Anything else: 0.
  var affectedRows: Int { Int(String(cString: PQcmdTuples(handle))) ?? 0 }

  /// The command that was done: "COMMIT", "INSERT 0 1".
  var commandTag: String { String(cString: PQcmdStatus(handle)) }

  func rows<T>(_ decode: (Row) throws(PostgresError) -> T) throws(PostgresError) -> [T] {
    let count = PQntuples(handle)
    var rows: [T] = []
    rows.reserveCapacity(Int(count))
    for index in 0..<count { rows.append(try decode(Row(result: handle, index: index))) }
    return rows
  }

  /// What went wrong. nil says that the command was done, as far as it alone is concerned: its
  /// transaction may still fail to commit.
  var failure: PostgresError? {
    guard status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE else { return nil }
    let message = field("M") ?? String(cString: PQresultErrorMessage(handle))
    // FATAL ends the session, and the commit may have come before it. What broke in libpq itself
    // has no state.
    guard let state = field("C"), field("V") == "ERROR" else { return .lost(message) }
    return .server(
      PostgresServerError(
        sqlState: state, message: message, detail: field("D"), constraint: field("n")))
  }

  /// A field of the error by its code in the protocol: PG_DIAG_* are macros, which Swift does not
  /// import.
  private func field(_ code: UnicodeScalar) -> String? {
    PQresultErrorField(handle, Int32(code.value)).map { String(cString: $0) }
  }
}

extension PostgresError {
  /// What libpq says about a connection, in one line; it has an answer even for one that it had no
  /// memory for.
  static func reason(_ handle: OpaquePointer?) -> String {
    let message = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
    return String(message.prefix { $0 != "\n" })
  }
}
