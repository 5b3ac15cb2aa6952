import Glibc

/// One client's connection: reads requests, has them answered in order, writes the answers.
///
/// One request at a time is being answered; nothing is read meanwhile, so a client can pile up no
/// more than one buffer.
final class ClientConnection: Watcher {
  /// The connection's place in its server's list.
  var slot: Int
  /// The other end of the socket: a proxy's own, where one is between.
  let address: IPAddress

  /// Who sends the requests, as far as the connection tells.
  private var origin: RequestOrigin
  /// Nil once it is read, or where no header is expected.
  private var proxyHeader: ProxyHeaderReader?
  private let server: HTTPServer
  private let loop: EventLoop
  private let application: any Application
  private var stage: Stage
  private var isAnswering = false
  /// All is sent but the notice that it is all, for which the socket had no room.
  private var isEndUnsent = false
  private var requestCount = 0
  /// Bytes of the body being received or answered, as the process counts them.
  private var heldBytes = 0
  private var isPumping = false
  /// The loop does not tell of arriving bytes at present.
  private var isReadingPaused = false
  /// `receiveUntold` is due.
  private var isReceivingUntold = false
  /// The client has shut down its sending side.
  private var inputEnded = false
  /// The request being answered, as far as the writer must know it.
  private var answersHead = false
  private var persistence = ResponseWriter.Persistence.keepAlive
  // What each request touches many times. Nothing that is called while one of them is being changed
  // comes back to this connection, so that the checks of it at run time are left out: they were a
  // fifth of the instructions of a small request.
  @exclusivity(unchecked) private var stream: ByteStream
  @exclusivity(unchecked) private var input = InputBuffer()
  @exclusivity(unchecked) private var output = OutputBuffer()
  @exclusivity(unchecked) private var parser: RequestParser
  @exclusivity(unchecked) private var reading: Pace<RequestParser.Stage>
  @exclusivity(unchecked) private var writing: Pace<Bool>

  private enum Stage {
    /// Before the first request: a PROXY header, the TLS handshake.
    case arriving
    case open
    /// The last answer is written; the connection ends once it is sent.
    case ending
    /// Our side is shut down. What the client still sends is thrown away: closing now would reset
    /// the connection, and a reset destroys answers that the client has not read.
    case lingering
    case closed
  }

  init(stream: ByteStream, from address: IPAddress, server: HTTPServer, slot: Int) {
    self.stream = stream
    self.address = address
    origin = RequestOrigin(address: address, isSecure: stream.tls != nil)
    proxyHeader = server.entrance.expectsProxyHeader(from: address) ? ProxyHeaderReader() : nil
    stage = stream.tls != nil || proxyHeader != nil ? .arriving : .open
    self.server = server
    self.slot = slot
    loop = server.loop
    application = server.application
    parser = RequestParser(limits: server.limits.request)
    reading = Pace(.idle, since: server.loop.now)
    writing = Pace(false, since: server.loop.now)
  }

  func ready(_ socketReadiness: Readiness) {
    if stage == .lingering { return discard() }
    if stage == .arriving { return arrive() }
    let readiness = stream.readiness(of: socketReadiness)
    if readiness.contains(.write) { pump() }
    guard !readiness.isDisjoint(with: [.read, .hangUp, .error]), stage != .closed else { return }
    if wantsInput {
      receive()
    } else if !readiness.isDisjoint(with: [.hangUp, .error]) {
      close()
    } else if stage != .lingering {
      // Only a client that sends before it is answered costs this call.
      isReadingPaused = true
      updateInterest()
    }
  }

  /// The server stops and has waited for requests: one that has not begun does not begin.
  func stop() {
    if stage == .arriving {
      arrive()
      if stage == .arriving { return close() }
    }
    guard wantsInput, !isPumping, parser.stage == .idle, output.isEmpty else { return }
    // A request may have arrived that the loop has not told of yet.
    receive()
    if stage == .open, !isAnswering, parser.stage == .idle { close() }
  }

  /// Closes at once, whatever is unsent.
  func close() {
    guard stage != .closed else { return }
    stage = .closed
    loop.unwatch(stream.fd)
    stream.close()
    // A request that is being answered keeps its body until then.
    if !isAnswering { _ = hold(0) }
    server.remove(self)
  }

  // MARK: Arriving

  /// Goes on with what comes before the first request.
  private func arrive() {
    switch proxyHeader?.receive(from: stream.fd) {
    case .incomplete: return
    case .malformed: return close()
    case .complete(let source): origin.address = source ?? origin.address
    case nil: break
    }
    proxyHeader = nil
    switch stream.tls?.shakeHands() ?? .done {
    case .done: stage = .open
    case .blocked: break
    case .failed: linger()
    case .plainHTTP:
      stream.abandonTLS()
      stage = .open
      refuse(.framing(.badRequest, "This port speaks HTTPS; the request came without TLS."))
      return pump()
    }
    updateInterest()
    guard stage == .open else { return }
    reading.restart(.idle, now: loop.now)
    // A request may have come with the last bytes of the handshake.
    receive()
  }

  // MARK: Reading and answering

  private var wantsInput: Bool {
    stage == .open && !isAnswering && !inputEnded
      && output.pendingCount < server.limits.outputBytesMax
  }

  private func receive() {
    if input.isBare { input = server.takeInput() }
    switch input.receive(from: &stream) {
    case .bytes(let count):
      reading.bytes += count
      pump()
    case .end:
      inputEnded = true
      pump()
    case .blocked:
      // TLS may now wait for something else than before.
      updateInterest()
      releaseBuffers()
    case .failed: close()
    }
  }

  /// Answers what has arrived and sends the answers together, until one side has to wait.
  private func pump() {
    guard !isPumping else { return }
    isPumping = true
    while true {
      let waitsForRoom = answerArrived()
      flush()
      guard waitsForRoom && stage == .open && output.isEmpty else { break }
    }
    isPumping = false
    guard stage != .closed else { return }
    updateInterest()
    releaseBuffers()
    receiveUntold()
  }

  /// An idle connection holds no buffer: most of many are idle.
  private func releaseBuffers() {
    guard !isAnswering, parser.stage == .idle, input.isEmpty, output.isEmpty else { return }
    server.giveBack(
      exchange(&input, with: InputBuffer()), exchange(&output, with: OutputBuffer()))
  }

  /// Asks for bytes that the loop does not tell of, in the next turn, after the other connections.
  private func receiveUntold() {
    guard stream.hasUntoldInput, wantsInput, !isReceivingUntold else { return }
    isReceivingUntold = true
    loop.schedule(afterSeconds: 0) { [self] in
      isReceivingUntold = false
      if wantsInput { receive() }
    }
  }

  /// True: it stopped only because too many answers are unsent.
  private func answerArrived() -> Bool {
    let application = application
    while stage == .open && !isAnswering {
      // What `awaitMore` would find when all is answered, at less cost.
      if input.isEmpty && parser.stage == .idle && !inputEnded { return false }
      if output.pendingCount >= server.limits.outputBytesMax { return true }
      do throws(HTTPError) {
        let request = try parser.next(in: input.bytes, input.window) { head in
          application.bodyBytesMax(for: head)
        }
        input.consume(parser.consumed)
        guard let request else {
          try awaitMore()
          return false
        }
        answer(request)
      } catch {
        refuse(error)
      }
    }
    return false
  }

  private func awaitMore() throws(HTTPError) {
    if parser.takeContinue() { ResponseWriter.writeContinue(to: &output.bytes) }
    reading.enter(parser.stage, now: loop.now)
    guard hold(parser.bodyBytes(windowCount: input.window.count)) else {
      throw .framing(.unavailable, Self.tooMuchInFlight)
    }
    guard inputEnded else { return }
    guard parser.stage == .idle else {
      throw .framing(.badRequest, "The connection ended within a request.")
    }
    stage = .ending
  }

  private func answer(_ request: consuming Request) {
    answersHead = request.method == .head
    requestCount += 1
    let isLast = !parser.keepsAlive || requestCount >= server.limits.requestsPerConnectionMax
    persistence =
      isLast ? .close : request.minorVersion == 0 ? .announcedKeepAlive : .keepAlive
    request.origin = server.entrance.proxies.origin(of: request, from: origin)
    switch application.answer(request) {
    case .now(let response): write(response)
    case .later(let begin):
      if waits(holding: request.body.count) { begin { [self] in finishAnswer($0.get()) } }
    case .awaited(let work):
      if waits(holding: request.body.count) { run(work) }
    }
  }

  /// False: the request is refused, for all connections together hold too much.
  private func waits(holding bodyBytes: Int) -> Bool {
    isAnswering = hold(bodyBytes)
    if !isAnswering {
      write(application.problem(for: .content(.unavailable, Self.tooMuchInFlight)))
    }
    return isAnswering
  }

  private func run(_ work: @escaping () async -> Result<Response, Never>) {
    let confined = LoopConfined((connection: self, work: work), to: loop)
    Task.immediate(executorPreference: loop) {
      let (connection, work) = confined.value
      connection.finishAnswer(await work().get())
    }
  }

  private func finishAnswer(_ response: Response) {
    isAnswering = false
    write(response)
    pump()
  }

  /// Counts what the connection holds of a body now. False: all connections together hold too much.
  private func hold(_ count: Int) -> Bool {
    if count == heldBytes { return true }
    let max = server.limits.bodyBytesInFlightMax
    guard server.use.holdBodyBytes(count - heldBytes, max: max) else { return false }
    heldBytes = count
    return true
  }

  private static let tooMuchInFlight =
    "The server is receiving too much at once; nothing of this request was used."

  private func refuse(_ error: HTTPError) {
    answersHead = parser.answersHead
    persistence = .close
    write(application.problem(for: error))
  }

  // MARK: Writing and ending

  private func write(_ response: Response) {
    _ = hold(0)
    // The connection may have ended while the answer was made.
    guard stage == .open else { return }
    if server.isStopping { persistence = .close }
    if output.isBare { output = server.takeOutput() }
    server.write(response, isHead: answersHead, persistence, to: &output)
    if persistence == .close { stage = .ending }
    reading.restart(.idle, now: loop.now)
  }

  private func flush() {
    if !output.isEmpty {
      switch output.send(to: stream) {
      case .bytes(let count): writing.bytes += count
      case .blocked: break
      case .end, .failed: return close()
      }
    }
    writing.enter(!output.isEmpty || isEndUnsent, now: loop.now)
    if stage == .ending && output.isEmpty {
      if inputEnded { close() } else { linger() }
    }
  }

  private func linger() {
    isEndUnsent = stream.endOutput() == .blocked
    // It is tried again when the socket has room.
    if isEndUnsent { return writing.enter(true, now: loop.now) }
    stage = .lingering
    reading.restart(.idle, now: loop.now)
    writing.restart(false, now: loop.now)
  }

  private func discard() {
    switch stream.discard() {
    case .bytes: reading.restart(.idle, now: loop.now)
    case .blocked: break
    case .end, .failed: close()
    }
  }

  private func updateInterest() {
    if wantsInput || stage == .lingering { isReadingPaused = false }
    loop.rewatch(stream.fd, interest)
  }

  /// What the loop is to tell of.
  var interest: Readiness {
    var interest: Readiness = isReadingPaused ? [] : .read
    if !output.isEmpty || isEndUnsent { interest.insert(.write) }
    return stream.socketInterest(for: interest, isDrained: stage == .open)
  }

  // MARK: Time

  /// Ends what takes too long. Called about once a second.
  func checkTimes() {
    let limits = server.limits
    let now = loop.now
    if stage == .lingering {
      if reading.seconds(now: now) > limits.lingerSilenceSecondsMax
        || writing.seconds(now: now) > limits.lingerSecondsMax
      {
        close()
      }
      return
    }
    if stage == .arriving {
      if reading.seconds(now: now) > limits.handshakeSecondsMax { close() }
      return
    }
    if !output.isEmpty || isEndUnsent {
      if writing.isTooSlow(limits.writeSecondsMax, limits.bytesPerSecondMin, now: now) { close() }
      return
    }
    guard stage == .open && !isAnswering else { return }
    let seconds = reading.seconds(now: now)
    switch parser.stage {
    case .idle:
      parser.releaseMemory()
      let secondsMax =
        server.isFull
        ? min(limits.idleSecondsMax, limits.idleSecondsMaxWhenFull) : limits.idleSecondsMax
      if seconds > secondsMax || server.closesIdle { close() }
    case .head:
      if seconds > limits.headSecondsMax { giveUp("The request's head took too long to arrive.") }
    case .body:
      if reading.isTooSlow(limits.bodySecondsMax, limits.bytesPerSecondMin, now: now) {
        giveUp("The request's body took too long to arrive.")
      }
    }
  }

  private func giveUp(_ detail: String) {
    refuse(.framing(.requestTimeout, detail))
    pump()
  }
}
