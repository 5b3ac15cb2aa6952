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
  private(set) var isStopping = false

  private let listener: Listener
  private let notice: (Notice) -> Void
  private var writer = ResponseWriter()
  private var connections: [ClientConnection] = []
  private var isAccepting = false
  private var sweep: DeadlineToken?
  private var stopped: (() -> Void)?

  /// What an operator should know of.
  enum Notice: Equatable, Sendable {
    /// accept4(2) failed with this `errno`; it is tried again shortly.
    case acceptFailed(code: Int32)
    case connectionsMaxReached(Int)
    /// OpenSSL could not begin a session.
    case tlsFailed(TLSError)
  }

  init(
    loop: EventLoop, listener: Listener, limits: TransportLimits, application: any Application,
    entrance: Entrance = Entrance(), notice: @escaping (Notice) -> Void = { _ in }
  ) {
    self.loop = loop
    self.listener = listener
    self.entrance = entrance
    self.limits = limits
    self.application = application
    self.notice = notice
  }

  var connectionCount: Int { connections.count }

  /// Whether new clients wait because there is no room for them.
  var isFull: Bool { !isAccepting }

  func start() throws(EventLoopError) {
    try loop.watch(listener.fd, .read, self)
    isAccepting = true
    scheduleSweep()
  }

  /// Accepts nobody more, lets begun requests be answered, closes idle connections, and calls
  /// `then`.
  ///
  /// - Parameter seconds: after them what is still open is closed.
  func stop(withinSeconds seconds: Double, then: @escaping () -> Void) {
    precondition(stopped == nil, "a server is stopped once")
    stopped = then
    // Those who wait in the queue would be reset.
    if isAccepting { ready(.read) }
    isStopping = true
    loop.unwatch(listener.fd)
    listener.close()
    for connection in connections { connection.stop() }
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

  func remove(_ connection: ClientConnection) {
    let last = connections.removeLast()
    if last !== connection {
      connections[connection.slot] = last
      last.slot = connection.slot
    }
    resumeAccepting()
    endIfEmpty()
  }

  // MARK: Accepting

  func ready(_ readiness: Readiness) {
    for _ in 0..<limits.acceptsPerTurnMax {
      guard connections.count < limits.connectionsMax else {
        pauseAccepting(.connectionsMaxReached(limits.connectionsMax))
        return
      }
      switch listener.accept() {
      case .connection(let fd, let address): admit(fd, from: address)
      case .none: return
      case .exhausted(let code):
        // The listener would stay readable and the loop would spin: look away for a moment.
        pauseAccepting(.acceptFailed(code: code))
        loop.schedule(afterSeconds: limits.acceptRestSeconds) { [weak self] in
          self?.resumeAccepting()
        }
        return
      }
    }
  }

  private func admit(_ fd: Int32, from address: IPAddress) {
    let tls: TLSSession?
    do throws(TLSError) {
      tls = try entrance.tls.map { identity throws(TLSError) in
        try TLSSession(identity.context, fd: fd)
      }
    } catch {
      Glibc.close(fd)
      notice(.tlsFailed(error))
      return
    }
    let connection = ClientConnection(
      stream: ByteStream(fd: fd, tls: tls), from: address, server: self, slot: connections.count)
    do throws(EventLoopError) {
      try loop.watch(fd, .read, connection)
      connections.append(connection)
    } catch {
      Glibc.close(fd)
      notice(.acceptFailed(code: error.code))
    }
  }

  private func pauseAccepting(_ reason: Notice) {
    isAccepting = false
    loop.rewatch(listener.fd, [])
    notice(reason)
  }

  private func resumeAccepting() {
    guard !isAccepting, !isStopping, connections.count < limits.connectionsMax else { return }
    isAccepting = true
    loop.rewatch(listener.fd, .read)
  }

  // MARK: Time

  private func scheduleSweep() {
    sweep = loop.schedule(afterSeconds: limits.sweepSeconds) { [weak self] in
      guard let self else { return }
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
