import CPostgres

/// One connection in pipeline mode on a loop, from the first packet to its end; it is never used
/// again after that.
///
/// Loop-owned. Calls are answered in the order in which they were sent; each has its own Sync.
final class PipelineConnection: Watcher {
  private(set) var isOpen = false
  private var isEnded = false

  private let loop: EventLoop
  private let timeoutSeconds: Double
  private let onOpen: () -> Void
  private let onEnd: (PostgresError) -> Void
  private var handle: OpaquePointer?
  private var watched: Int32?
  private var deadline: DeadlineToken?
  private var calls: [PipelineCall] = []
  private var firstCall = 0  // Those before it are answered.
  private var preparations: [String: Preparation] = [:]
  private var preparationCount = 0

  /// Begins to connect. `onOpen` and `onEnd` are called at most once each, never before this
  /// returns.
  init(
    to address: PostgresAddress, applicationName: String, timeoutSeconds: Double,
    on loop: EventLoop,
    onOpen: @escaping () -> Void, onEnd: @escaping (PostgresError) -> Void
  ) {
    self.loop = loop
    self.timeoutSeconds = timeoutSeconds
    self.onOpen = onOpen
    self.onEnd = onEnd
    deadline = loop.schedule(afterSeconds: timeoutSeconds) { [weak self] in
      self?.end(.timeout)
    }
    lookUp(address.hostNames[...], found: [:]) { [weak self] found in
      guard let self, !isEnded else { return }
      guard let address = address.resolved(found) else {
        return end(.unavailable("the host has no address"))
      }
      start(address, applicationName: applicationName)
    }
  }

  /// libpq would hold the loop up while it looks a name up.
  private func lookUp(
    _ names: ArraySlice<String>, found: [String: [String]],
    then: @escaping ([String: [String]]) -> Void
  ) {
    guard let name = names.first else { return then(found) }
    HostLookup.addresses(of: name, on: loop) { [weak self] addresses in
      let found = found.merging([name: addresses]) { $1 }
      self?.lookUp(names.dropFirst(), found: found, then: then)
    }
  }

  private func start(_ address: PostgresAddress, applicationName: String) {
    // The server gives up a little earlier than we do: its refusal is a known outcome and keeps the
    // connection.
    handle = address.startConnecting(
      applicationName: applicationName, statementSeconds: timeoutSeconds * 0.9)
    // libpq: until the first poll, behave as if it had asked to wait for writing.
    guard let handle, PQstatus(handle) != CONNECTION_BAD, watch(.write) else {
      loop.schedule(afterSeconds: 0) { [weak self] in self?.endWithMessage() }
      return
    }
  }

  /// How long the oldest unanswered call has waited.
  var oldestWaitSeconds: Double {
    guard firstCall < calls.count else { return 0 }
    let remaining = Double(Int64(bitPattern: calls[firstCall].deadline &- loop.now)) / 1e9
    return timeoutSeconds - remaining
  }

  // MARK: Calls

  /// Sends a batch; `finish` is called once, when its transaction has ended or the connection has.
  func send(_ steps: [PostgresBatch.Step], finish: @escaping (PostgresError?) -> Void) {
    guard isOpen, let handle else { return finish(.unavailable("not connected")) }
    let used = steps.map { prepared($0.statement) }
    guard isOpen else { return finish(.unavailable("the connection ended")) }
    for (step, preparation) in zip(steps, used) {
      let isSent = step.parameters.withPointers { count, values, lengths, formats in
        PQsendQueryPrepared(handle, preparation.name, count, values, lengths, formats, 1)
      }
      // Without its Sync nothing of what was buffered is committed.
      guard isSent == 1 else {
        finish(.unavailable(PostgresError.reason(handle)))
        return endWithMessage()
      }
    }
    append(steps) { [weak self] error in
      if let error, error.meansPreparedAnew { self?.forget(used) }
      // A call whose statement could not be prepared would itself only say that there is no such
      // statement.
      finish(error.map { error in used.lazy.compactMap(\.error).first ?? error })
    }
  }

  /// Ends the connection; every call in flight gets `reason`.
  func end(_ reason: PostgresError) {
    if isEnded { return }
    isEnded = true
    isOpen = false
    unwatch()
    if let deadline { loop.cancel(deadline) }
    PQfinish(handle)
    handle = nil
    let unanswered = calls[firstCall...]
    calls = []
    firstCall = 0
    for call in unanswered { call.end(reason) }
    onEnd(reason)
  }

  private func append(
    _ steps: [PostgresBatch.Step], finish: @escaping (PostgresError?) -> Void
  ) {
    let time = loop.now &+ UInt64(timeoutSeconds * 1e9)
    calls.append(PipelineCall(deadline: time, steps: steps, finish: finish))
    if deadline == nil { scheduleTimeout() }
    // The Sync of libpq 15 sends what is buffered by itself: there is nothing to collect until the
    // turn's end.
    guard PQpipelineSync(handle) == 1 else { return endWithMessage() }
    flush()
  }

  private func prepared(_ statement: Statement) -> Preparation {
    if let known = preparations[statement.name] {
      assert(known.statement.sql == statement.sql, "two statements are named \(statement.name)")
      return known
    }
    preparationCount += 1
    let preparation = Preparation(statement, name: "\(statement.name):\(preparationCount)")
    preparations[statement.name] = preparation
    guard let handle, PQsendPrepare(handle, preparation.name, statement.sql, 0, nil) == 1 else {
      endWithMessage()
      return preparation
    }
    append([]) { [weak self] error in
      guard let error else { return }
      preparation.error = error
      self?.forget([preparation])
    }
    return preparation
  }

  /// The next call prepares the statement anew, for example after a migration has changed its
  /// columns.
  private func forget(_ failed: [Preparation]) {
    for preparation in failed {
      let name = preparation.statement.name
      if preparations[name] === preparation { preparations[name] = nil }
    }
  }

  // MARK: The descriptor

  func ready(_ readiness: Readiness) {
    guard isOpen else { return connect() }
    if readiness.contains(.write) { flush() }
    guard let handle, readiness != .write else { return }
    let isAlive = PQconsumeInput(handle) == 1
    takeResults()
    if !isAlive { endWithMessage() }
  }

  /// One step of connecting, in which libpq may close its socket and open another.
  private func connect() {
    guard let handle else { return }
    unwatch()
    switch PQconnectPoll(handle) {
    case PGRES_POLLING_READING: if !watch(.read) { endWithMessage() }
    case PGRES_POLLING_WRITING: if !watch(.write) { endWithMessage() }
    case PGRES_POLLING_OK: open()
    default: endWithMessage()
    }
  }

  private func open() {
    guard let handle, PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1,
      watch(.read)
    else { return endWithMessage() }
    if let deadline { loop.cancel(deadline) }
    deadline = nil
    isOpen = true
    onOpen()
  }

  private func flush() {
    guard let handle, let watched else { return }
    switch PQflush(handle) {
    case 0: loop.rewatch(watched, .read)
    case 1: loop.rewatch(watched, [.read, .write])
    default: endWithMessage()
    }
  }

  private func takeResults() {
    var isSeparator = false
    while let handle, firstCall < calls.count, PQisBusy(handle) == 0 {
      guard let pointer = PQgetResult(handle) else {
        // One null ends the results of a statement; two in a row say that libpq waits for nothing.
        if isSeparator { return end(.lost("libpq is out of step with its calls")) }
        isSeparator = true
        continue
      }
      isSeparator = false
      let result = PostgresResult(owning: pointer)
      if result.status == PGRES_PIPELINE_SYNC {
        takeFirstCall().end()
      } else {
        calls[firstCall].take(result)
        // The server ends the session, or the socket broke: the Sync will not come.
        if let reason = result.failure, case .lost = reason { return end(reason) }
      }
    }
  }

  private func takeFirstCall() -> PipelineCall {
    let call = calls[firstCall]
    firstCall += 1
    // The array lets go of what was answered when that is most of it.
    if firstCall == calls.count || firstCall > 1024 {
      calls.removeFirst(firstCall)
      firstCall = 0
    }
    return call
  }

  private func watch(_ interest: Readiness) -> Bool {
    let descriptor = PQsocket(handle)
    guard descriptor >= 0 else { return false }
    do { try loop.watch(descriptor, interest, self) } catch { return false }
    watched = descriptor
    return true
  }

  private func unwatch() {
    if let watched { loop.unwatch(watched) }
    watched = nil
  }

  // MARK: Time-outs and ends

  /// One timer for the oldest call: answers come in order, so no other can be due before it.
  private func scheduleTimeout() {
    guard firstCall < calls.count else { return }
    let due = calls[firstCall].deadline
    let seconds = due > loop.now ? Double(due - loop.now) / 1e9 : 0
    deadline = loop.schedule(afterSeconds: seconds) { [weak self] in
      guard let self else { return }
      deadline = nil
      guard firstCall < calls.count else { return }
      if calls[firstCall].deadline <= loop.now { return end(.timeout) }
      scheduleTimeout()
    }
  }

  private func endWithMessage() { end(.lost(PostgresError.reason(handle))) }
}
