/// PostgreSQL for the code of one loop: one connection, many calls in flight, none of which blocks
/// the loop.
///
/// Every call is a transaction of its own and returns after its commit. A connection that ends, or
/// does not answer in time, is replaced; the calls in flight are told that their outcome is
/// unknown. Loop-owned.
final class PostgresPipeline {
  /// Calls above these are refused, not kept: they bound the memory that a stalled server costs.
  static let callsInFlightMax = 10_000
  static let bytesInFlightMax = 64 << 20
  static let reconnectSecondsMin = 0.05
  static let reconnectSecondsMax = 1.0

  /// Called on the loop after every change: for the log and the readiness of the process.
  var onEvent: ((Event) -> Void)?

  /// How many calls wait for their answers.
  private(set) var inFlightCount = 0

  private var inFlightBytes = 0
  private let loop: EventLoop
  private let address: PostgresAddress
  private let applicationName: String
  private let timeoutSeconds: Double
  private var connection: PipelineConnection?
  private var reconnection: DeadlineToken?
  private var reconnectSeconds = PostgresPipeline.reconnectSecondsMin
  private var isClosed = false
  /// Calls made while the very first connection is under way; nil once that has been decided.
  private var early: [Call]? = []

  /// Begins to connect at once. `timeoutSeconds` bounds each attempt to connect and each wait for
  /// an answer.
  init(
    to address: PostgresAddress, applicationName: String, timeoutSeconds: Double, on loop: EventLoop
  ) {
    self.loop = loop
    self.address = address
    self.applicationName = applicationName
    self.timeoutSeconds = timeoutSeconds
    connect()
  }

  var isConnected: Bool { connection?.isOpen ?? false }

  /// Connected, and no call has waited so long that the server must be taken for stalled.
  var isAnswering: Bool {
    guard isConnected, let connection else { return false }
    return connection.oldestWaitSeconds < Self.stalledSeconds
  }
  private static let stalledSeconds = 1.0

  // MARK: Calls

  /// Runs one statement and decodes its rows.
  func rows<T>(
    _ statement: Statement, _ values: [PostgresValue],
    _ decode: @escaping (Row) throws(PostgresError) -> T
  ) async throws(PostgresError) -> [T] {
    var batch = PostgresBatch()
    let rows = batch.rows(statement, values, decode)
    try await run(batch)
    return rows.values
  }

  /// Runs one statement; how many rows it wrote.
  @discardableResult
  func execute(_ statement: Statement, _ values: [PostgresValue]) async throws(PostgresError) -> Int
  {
    var batch = PostgresBatch()
    let count = batch.execute(statement, values)
    try await run(batch)
    return count.value
  }

  /// Builds and runs a batch: one transaction, one round trip.
  ///
  ///     let (created, audited) = try await pipeline.transaction { batch in
  ///       (batch.rows(Self.insert, [.text(key)], Experiment.init), batch.execute(Self.audit, []))
  ///     }
  func transaction<Results>(
    _ build: (inout PostgresBatch) -> Results
  ) async throws(PostgresError) -> Results {
    var batch = PostgresBatch()
    let results = build(&batch)
    try await run(batch)
    return results
  }

  /// Runs the statements of a batch as one transaction. Returns after its commit.
  func run(_ batch: PostgresBatch) async throws(PostgresError) {
    if batch.isEmpty { return }
    let steps = batch.steps
    let byteCount = batch.byteCount
    guard inFlightCount < Self.callsInFlightMax,
      inFlightBytes + byteCount <= Self.bytesInFlightMax
    else { throw .unavailable("too much waits for answers") }
    inFlightCount += 1
    inFlightBytes += byteCount
    let error = await withUnsafeContinuation {
      (continuation: UnsafeContinuation<PostgresError?, Never>) in
      submit(Call(steps: steps, finish: { continuation.resume(returning: $0) }))
    }
    inFlightCount -= 1
    inFlightBytes -= byteCount
    if let error { throw error }
  }

  /// Ends the connection for good; calls in flight get `lost`, later ones `unavailable`.
  func close() {
    isClosed = true
    if let reconnection { loop.cancel(reconnection) }
    reconnection = nil
    connection?.end(.lost("closed"))
  }

  /// What happened to the connection.
  enum Event: Equatable {
    case connected
    /// The connection, or the attempt, ended for this reason; the next attempt follows after so
    /// many seconds.
    case disconnected(PostgresError, retrySeconds: Double)
  }

  // MARK: Sending and connecting

  private struct Call {
    let steps: [PostgresBatch.Step]
    let finish: (PostgresError?) -> Void
  }

  private func submit(_ call: Call) {
    loop.preconditionOnLoop()
    if let connection, connection.isOpen {
      connection.send(call.steps, finish: call.finish)
    } else if early != nil, !isClosed {
      early?.append(call)
    } else {
      call.finish(.unavailable("not connected"))
    }
  }

  private func connect() {
    reconnection = nil
    connection = PipelineConnection(
      to: address, applicationName: applicationName, timeoutSeconds: timeoutSeconds, on: loop,
      onOpen: { [weak self] in self?.connected() },
      onEnd: { [weak self] in self?.disconnected($0) })
  }

  private func connected() {
    reconnectSeconds = Self.reconnectSecondsMin
    let early = takeEarly()
    // A connection that ends under them still answers the rest.
    if let connection { for call in early { connection.send(call.steps, finish: call.finish) } }
    onEvent?(.connected)
  }

  private func disconnected(_ reason: PostgresError) {
    connection = nil
    for call in takeEarly() { call.finish(.unavailable("not connected")) }
    if isClosed { return }
    let seconds = reconnectSeconds
    reconnectSeconds = min(seconds * 2, Self.reconnectSecondsMax)
    reconnection = loop.schedule(afterSeconds: seconds) { [weak self] in self?.connect() }
    onEvent?(.disconnected(reason, retrySeconds: seconds))
  }

  private func takeEarly() -> [Call] {
    defer { early = nil }
    return early ?? []
  }
}
