import CPostgres
import Glibc

/// A connection to PostgreSQL that its caller waits for: for jobs, commands, migrations.
///
/// One thread's at a time. Every wait is bounded; after a time-out or a loss the session is closed
/// for good and its owner makes a new one.
final class PostgresSession {
  let timeoutSeconds: Double
  var notifications: [PostgresNotification] = []

  private var handle: OpaquePointer?
  private var prepared: [String: (name: String, sql: String)] = [:]
  private var preparedCount = 0
  private var isInTransaction = false
  private var savepointDepth = 0

  /// Connects. `connectSeconds` bounds that, `timeoutSeconds` every later wait for an answer, here
  /// and on the server.
  init(
    to address: PostgresAddress, applicationName: String, connectSeconds: Double = 5,
    timeoutSeconds: Double = 30
  ) throws(PostgresError) {
    self.timeoutSeconds = timeoutSeconds
    // As in a pipeline: the server's own refusal, a little earlier, is a known outcome and keeps
    // the session.
    handle = address.startConnecting(
      applicationName: applicationName, statementSeconds: timeoutSeconds * 0.9)
    try connect(Deadline(afterSeconds: connectSeconds))
  }

  deinit { close() }

  var isOpen: Bool { handle != nil }

  /// The descriptor that becomes readable when something arrives; −1 when closed.
  var socket: Int32 { PQsocket(handle) }

  /// An open transaction is rolled back by the server; further calls throw `unavailable`.
  func close() {
    PQfinish(handle)
    handle = nil
  }

  // MARK: Statements

  /// Runs one statement and decodes its rows; outside of `transaction` it is a transaction of its
  /// own.
  func rows<T>(
    _ statement: Statement, _ values: [PostgresValue],
    _ decode: (Row) throws(PostgresError) -> T
  ) throws(PostgresError) -> [T] {
    try perform(statement, values).rows(decode)
  }

  /// Runs one statement; how many rows it wrote.
  @discardableResult
  func execute(_ statement: Statement, _ values: [PostgresValue]) throws(PostgresError) -> Int {
    try perform(statement, values).affectedRows
  }

  /// Runs a text of several statements without parameters; the last result is dropped like the
  /// others.
  ///
  /// Outside of `transaction` they are one implicit transaction, unless the text holds `BEGIN` or
  /// `COMMIT`.
  func script(_ sql: String) throws(PostgresError) {
    try require(PQsendQuery(opened(), sql) == 1)
    _ = try result()
  }

  /// Returns when the server has answered, and notices committed before the call have arrived.
  ///
  /// - Throws: also when there is no answer after `seconds`; the session is closed then.
  func awaitAnswer(withinSeconds seconds: Double) throws(PostgresError) {
    try require(PQsendQuery(opened(), "") == 1)
    _ = try result(withinSeconds: seconds)
  }

  // MARK: Transactions

  /// Runs `body` between BEGIN and COMMIT; an error of `body` or of the commit rolls all of it
  /// back.
  func transaction<T>(_ body: () throws(PostgresError) -> T) throws(PostgresError) -> T {
    precondition(!isInTransaction, "a transaction inside a transaction: use a savepoint")
    try script("BEGIN")
    isInTransaction = true
    defer { isInTransaction = false }
    let value: T
    do throws(PostgresError) { value = try body() } catch {
      rollBack("ROLLBACK")
      throw error
    }
    try commit()
    return value
  }

  /// Runs `body` so that its error undoes only what it did itself, not the transaction around it.
  func savepoint<T>(_ body: () throws(PostgresError) -> T) throws(PostgresError) -> T {
    precondition(isInTransaction, "a savepoint outside of a transaction")
    savepointDepth += 1
    let name = "s\(savepointDepth)"
    defer { savepointDepth -= 1 }
    try script("SAVEPOINT \(name)")
    do throws(PostgresError) {
      let value = try body()
      try script("RELEASE \(name)")
      return value
    } catch {
      rollBack("ROLLBACK TO \(name); RELEASE \(name)")
      throw error
    }
  }

  private func commit() throws(PostgresError) {
    guard try PQtransactionStatus(opened()) != PQTRANS_IDLE else {
      throw Self.refusal("25P01", "the body of the transaction ended it by itself")
    }
    try require(PQsendQuery(opened(), "COMMIT") == 1)
    // The commit of a transaction in which a statement failed answers ROLLBACK, and that is no
    // error to PostgreSQL.
    guard try result().commandTag == "COMMIT" else {
      throw Self.refusal("25P02", "rolled back: an error in the transaction was passed over")
    }
  }

  private static func refusal(_ sqlState: String, _ message: String) -> PostgresError {
    .server(PostgresServerError(sqlState: sqlState, message: message))
  }

  /// The first error is the one to tell: a session whose rollback fails is closed, which rolls back
  /// too.
  private func rollBack(_ sql: String) {
    do throws(PostgresError) { try script(sql) } catch { close() }
  }

  // MARK: Answers

  private func perform(
    _ statement: Statement, _ values: [PostgresValue]
  ) throws(PostgresError) -> PostgresResult {
    let name = try prepare(statement)
    let handle = try opened()
    let isSent = PostgresParameters(values).withPointers { count, pointers, lengths, formats in
      PQsendQueryPrepared(handle, name, count, pointers, lengths, formats, 1)
    }
    try require(isSent == 1)
    do throws(PostgresError) { return try result() } catch {
      if error.meansPreparedAnew { prepared[statement.name] = nil }
      throw error
    }
  }

  /// The statement's name on the server: one that is prepared again gets a new one.
  private func prepare(_ statement: Statement) throws(PostgresError) -> String {
    if let known = prepared[statement.name] {
      assert(known.sql == statement.sql, "two statements are named \(statement.name)")
      return known.name
    }
    preparedCount += 1
    let name = "\(statement.name):\(preparedCount)"
    try require(PQsendPrepare(opened(), name, statement.sql, 0, nil) == 1)
    _ = try result()
    prepared[statement.name] = (name, statement.sql)
    return name
  }

  /// Waits for all that the last command answers: its last result, or its first error.
  func result(withinSeconds seconds: Double? = nil) throws(PostgresError) -> PostgresResult {
    let deadline = Deadline(afterSeconds: seconds ?? timeoutSeconds)
    var error: PostgresError?
    var last: PostgresResult?
    while let pointer = try nextResult(deadline) {
      let result = PostgresResult(owning: pointer)
      // The data are the caller's turn: until they have been given, libpq repeats this result.
      if result.status == PGRES_COPY_IN { return result }
      error = error ?? result.failure
      last = consume result
    }
    if case .lost? = error { close() }
    if let error { throw error }
    guard let result = last.take() else { throw lost() }
    return result
  }

  private func nextResult(_ deadline: Deadline) throws(PostgresError) -> OpaquePointer? {
    let handle = try opened()
    try flush(deadline)
    while PQisBusy(handle) == 1 {
      try wait(for: POLLIN, deadline)
      // What came before the end is still to be read: the server says why it ends the session.
      if PQconsumeInput(handle) == 0, PQisBusy(handle) == 1 { throw lost() }
    }
    return PQgetResult(handle)
  }

  /// Sends all that is buffered. It reads too, because a server that waits to be read reads
  /// nothing.
  func flush(_ deadline: Deadline) throws(PostgresError) {
    let handle = try opened()
    while true {
      let state = PQflush(handle)
      if state == 0 { return }
      guard state == 1 else { throw lost() }
      try wait(for: POLLIN | POLLOUT, deadline)
      guard PQconsumeInput(handle) == 1 else { throw lost() }
    }
  }

  // MARK: The descriptor

  func opened() throws(PostgresError) -> OpaquePointer {
    guard let handle else { throw .unavailable("the session is closed") }
    return handle
  }

  func require(_ isDone: Bool) throws(PostgresError) {
    if !isDone { throw lost() }
  }

  private func connect(_ deadline: Deadline) throws(PostgresError) {
    // libpq: until the first poll, behave as if it had asked to wait for writing.
    var state = PGRES_POLLING_WRITING
    while state != PGRES_POLLING_OK {
      guard PQstatus(handle) != CONNECTION_BAD, state != PGRES_POLLING_FAILED else {
        let reason = PostgresError.reason(handle)
        close()
        throw .unavailable(reason)
      }
      do throws(PostgresError) {
        try wait(for: state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)
      } catch {
        throw .unavailable("no connection in time")
      }
      state = PQconnectPoll(handle)
    }
    try require(PQsetnonblocking(handle, 1) == 0)
  }

  private func wait(for events: Int32, _ deadline: Deadline) throws(PostgresError) {
    guard try poll(for: events, deadline) else {
      close()
      throw .timeout
    }
  }

  /// False when the time is over.
  func poll(for events: Int32, _ deadline: Deadline) throws(PostgresError) -> Bool {
    while true {
      var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
      let count = Glibc.poll(&descriptor, 1, deadline.remainingMilliseconds)
      if count > 0 { return true }
      if count == 0 { return false }
      if errno != EINTR { throw lost() }
    }
  }

  /// Closes the session and says why.
  private func lost() -> PostgresError {
    let reason = PostgresError.reason(handle)
    close()
    return .lost(reason)
  }

  /// The end of a wait.
  struct Deadline {
    private let time: UInt64

    init(afterSeconds seconds: Double) {
      time = EventLoop.monotonicNanoseconds() + UInt64(seconds * 1e9)
    }

    var remainingMilliseconds: Int32 {
      let now = EventLoop.monotonicNanoseconds()
      return now >= time ? 0 : Int32(min((time - now) / 1_000_000 + 1, 3_600_000))
    }
  }
}
