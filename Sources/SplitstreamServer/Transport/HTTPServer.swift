import Glibc

/// The HTTP server of one loop: accepts connections, keeps them to their times, and ends them in
/// order.
///
/// Made, used and told to stop on its loop's thread, or before that thread runs.
final class HTTPServer: Watcher {
  let loop: EventLoop
  let limits: TransportLimits
  let application: any Application
  let entrance: Entrance
  /// Shared with the servers of the other loops.
  let use: ClientUse
  private(set) var isStopping = false
  /// The stop waits no longer for requests that have not begun.
  private(set) var closesIdle = false

  private let listener: Listener
  private let notice: (Notice) -> Void
  // Without checks at run time, as in `ClientConnection`: nothing that they call comes back here.
  @exclusivity(unchecked) private var writer = ResponseWriter()
  @exclusivity(unchecked) private var spareInputs: [InputBuffer] = []
  @exclusivity(unchecked) private var spareOutputs: [OutputBuffer] = []
  private var connections: [ClientConnection] = []
  private var isAccepting = false
  private var toldOfMax = false
  private var toldOfAddress = false
  private var sweep: DeadlineToken?
  private var stopped: (() -> Void)?

  /// What an operator should know of.
  enum Notice: Equatable, Sendable {
    /// accept4(2) failed with this `errno`; it is tried again shortly.
    case acceptFailed(code: Int32)
    /// Said once between two sweeps, like the next.
    case connectionsMaxReached(Int)
    case connectionsPerAddressMaxReached(Int, IPAddress)
    /// OpenSSL could not begin a session.
    case tlsFailed(TLSError)
  }

  init(
    loop: EventLoop, listener: Listener, limits: TransportLimits, application: any Application,
    entrance: Entrance = Entrance(), use: ClientUse = ClientUse(),
    notice: @escaping (Notice) -> Void = { _ in }
  ) {
    self.loop = loop
    self.listener = listener
    self.entrance = entrance
    self.limits = limits
    self.application = application
    self.use = use
    self.notice = notice
  }

  var connectionCount: Int { connections.count }

  /// Whether new clients wait, of this server or another, because there is no room for them.
  var isFull: Bool { !isAccepting || use.connectionCount >= limits.connectionsMax }

  func start() throws(EventLoopError) {
    try loop.watch(listener.fd, .read, self)
    isAccepting = true
    scheduleSweep()
  }

  /// Accepts nobody more, lets begun requests be answered, and calls `then`.
  ///
  /// Every answer from now on is its connection's last. An idle connection is closed after a
  /// moment: a request may be on its way, and one that has reached us is answered.
  ///
  /// - Parameter seconds: after them what is still open is closed.
  func stop(withinSeconds seconds: Double, then: @escaping () -> Void) {
    precondition(stopped == nil, "a server is stopped once")
    stopped = then
    // Those who wait in the queue would be reset.
    if isAccepting { accept(upTo: Listener.queueMax) }
    isStopping = true
    loop.unwatch(listener.fd)
    listener.close()
    loop.schedule(afterSeconds: limits.idleSecondsMaxWhenStopping) { [weak self] in
      guard let self else { return }
      closesIdle = true
      for connection in connections { connection.stop() }
    }
    loop.schedule(afterSeconds: seconds) { [weak self] in
      for connection in self?.connections ?? [] { connection.close() }
    }
    endIfEmpty()
  }

  // MARK: For connections

  func write(
    _ response: Response, isHead: Bool, _ persistence: ResponseWriter.Persistence,
    to output: inout OutputBuffer
  ) {
    writer.write(
      response, isHead: isHead, persistence, unixSeconds: time(nil), to: &output.bytes)
  }

  /// A buffer that an idle connection has left, or a new one.
  func takeInput() -> InputBuffer { spareInputs.popLast() ?? InputBuffer() }
  func takeOutput() -> OutputBuffer { spareOutputs.popLast() ?? OutputBuffer() }

  /// Keeps the buffers of a connection that has become idle for those that are busy.
  func giveBack(_ input: consuming InputBuffer, _ output: consuming OutputBuffer) {
    if !input.isBare && spareInputs.count < Self.sparesMax { spareInputs.append(input) }
    if !output.isBare && spareOutputs.count < Self.sparesMax { spareOutputs.append(output) }
  }
  /// 4 MiB of input: as many as wait for two batches of a store.
  private static let sparesMax = 512

  func remove(_ connection: ClientConnection) {
    use.leave(connection.address)
    let last = connections.removeLast()
    if last !== connection {
      connections[connection.slot] = last
      last.slot = connection.slot
    }
    endIfEmpty()
  }

  // MARK: Accepting

  func ready(_ readiness: Readiness) {
    accept(upTo: limits.acceptsPerTurnMax)
  }

  private func accept(upTo count: Int) {
    for _ in 0..<count {
      guard use.reserveConnection(max: limits.connectionsMax) else { return waitForRoom() }
      switch listener.accept() {
      case .connection(let fd, let address): admit(fd, from: address)
      case .none: return use.releaseConnection()
      case .exhausted(let code):
        use.releaseConnection()
        // The listener would stay readable and the loop would spin: look away for a moment.
        pauseAccepting(.acceptFailed(code: code))
        loop.schedule(afterSeconds: limits.acceptRestSeconds) { [weak self] in
          self?.resumeAccepting()
        }
        return
      }
    }
  }

  /// - Parameter fd: a connection that is reserved and not counted for its address yet.
  private func admit(_ fd: Int32, from address: IPAddress) {
    guard use.enter(address, max: limits.connectionsPerAddressMax) else {
      if !toldOfAddress {
        notice(.connectionsPerAddressMaxReached(limits.connectionsPerAddressMax, address))
      }
      toldOfAddress = true
      refuse(fd)
      return use.releaseConnection()
    }
    let tls: TLSSession?
    do throws(TLSError) {
      tls = try entrance.tls.map { identity throws(TLSError) in
        try TLSSession(identity.context, fd: fd)
      }
    } catch {
      Glibc.close(fd)
      use.leave(address)
      notice(.tlsFailed(error))
      return
    }
    let connection = ClientConnection(
      stream: ByteStream(fd: fd, tls: tls), from: address, server: self, slot: connections.count)
    do throws(EventLoopError) {
      try loop.watch(fd, connection.interest, connection)
      connections.append(connection)
    } catch {
      Glibc.close(fd)
      use.leave(address)
      notice(.acceptFailed(code: error.code))
    }
  }

  /// Tells a client that it has too many connections, at once and without keeping its own: what it
  /// sends later resets it. With TLS there is no way to tell before a handshake.
  private func refuse(_ fd: Int32) {
    let stream = ByteStream(fd: fd)
    if entrance.tls == nil {
      var output = OutputBuffer()
      let problem = HTTPError.framing(.unavailable, "This address has too many connections open.")
      write(application.problem(for: problem), isHead: false, .close, to: &output)
      _ = output.send(to: stream)
      _ = stream.endOutput()
      // Unread bytes would make the close a reset, which destroys the answer.
      _ = stream.discard()
    }
    stream.close()
  }

  /// Accepts nobody until a connection has gone, of whatever loop.
  private func waitForRoom() {
    pauseAccepting(toldOfMax ? nil : .connectionsMaxReached(limits.connectionsMax))
    toldOfMax = true
    let confined = LoopConfined(self, to: loop)
    use.whenConnectionGoes { [loop] in loop.submit { confined.value.resumeAccepting() } }
    // One may have gone in between.
    if use.connectionCount < limits.connectionsMax { resumeAccepting() }
  }

  private func pauseAccepting(_ reason: Notice?) {
    isAccepting = false
    loop.rewatch(listener.fd, [])
    if let reason { notice(reason) }
  }

  private func resumeAccepting() {
    guard !isAccepting, !isStopping else { return }
    isAccepting = true
    loop.rewatch(listener.fd, .read)
  }

  // MARK: Time

  private func scheduleSweep() {
    sweep = loop.schedule(afterSeconds: limits.sweepSeconds) { [weak self] in
      guard let self else { return }
      (toldOfMax, toldOfAddress) = (false, false)
      // A copy: connections leave the list while it is walked.
      let connections = connections
      for connection in connections { connection.checkTimes() }
      if sweep != nil { scheduleSweep() }
    }
  }

  private func endIfEmpty() {
    guard isStopping, connections.isEmpty, let then = stopped else { return }
    stopped = nil
    if let sweep { loop.cancel(sweep) }
    sweep = nil
    then()
  }
}
