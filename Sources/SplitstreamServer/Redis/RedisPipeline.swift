/// Redis for the code of one loop: one connection, many commands in flight, none of which blocks
/// the loop.
///
/// Commands of one turn leave together. A connection that ends, or does not answer in time, is
/// replaced; the callers in flight are told that their outcome is unknown. Loop-owned.
final class RedisPipeline: RedisLoopClient {
  /// Commands above these are refused, not kept: they bound the memory that a stalled server costs.
  static let callsInFlightMax = 10_000
  static let bytesInFlightMax = 64 << 20
  static let reconnectSecondsMin = 0.05
  static let reconnectSecondsMax = 1.0

  /// Called on the loop after every change: for the log and the readiness of the process.
  var onEvent: ((Event) -> Void)?

  /// How many commands wait for their answers.
  private(set) var inFlightCount = 0

  private var inFlightBytes = 0
  private let loop: EventLoop
  private let address: RedisAddress
  private let scripts: [RedisScript]
  private let timeoutSeconds: Double
  private let replicasMin: Int
  private var connection: RedisConnection?
  private var reconnection: DeadlineToken?
  private var reconnectSeconds = RedisPipeline.reconnectSecondsMin
  /// Which of the host's addresses is tried.
  private var attempt = 0
  private var isClosed = false
  /// Commands given while the very first connection is under way; nil once that has been decided.
  private var early: [Call]? = []

  /// Begins to connect at once. `scripts` are loaded on every connection, before its first command;
  /// `timeoutSeconds` bounds every wait. A script counts as run when `replicasMin` replicas have
  /// what it wrote.
  init(
    to address: RedisAddress, scripts: [RedisScript], timeoutSeconds: Double, replicasMin: Int = 0,
    on loop: EventLoop
  ) {
    self.loop = loop
    self.address = address
    self.scripts = scripts
    self.timeoutSeconds = timeoutSeconds
    self.replicasMin = replicasMin
    loop.atEndOfTurn { [weak self] in self?.connection?.flush() }
    connect()
  }

  var isConnected: Bool { connection?.isOpen ?? false }

  func watch(_ body: @escaping (RedisPipeline, Event) -> Void) {
    onEvent = { [unowned self] in body(self, $0) }
  }

  // MARK: Commands

  /// Sends one command: its name and its arguments, any bytes.
  func command(_ arguments: [[UInt8]]) async throws(RedisError) -> RedisReply {
    try await together([arguments])[0].get()
  }

  /// Runs a script, which is loaded again when the server has forgotten it.
  func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) async throws(RedisError) -> RedisReply {
    try await evaluate(script, keys: keys, arguments: arguments, isAsking: false)
  }

  /// - Parameter isAsking: the server is a cluster's node that is about to get the keys' slot.
  func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]], isAsking: Bool
  ) async throws(RedisError) -> RedisReply {
    do throws(RedisError) {
      if let digest = connection?.digests[script.name] {
        return try await run(RedisCommand.evaluating(digest, keys, arguments), isAsking: isAsking)
      }
    } catch {
      guard error.isNoScript else { throw error }
    }
    guard case .bytes(let digest) = try await command(RedisCommand.loading(script)) else {
      throw .server("SCRIPT LOAD gave no digest")
    }
    return try await run(RedisCommand.evaluating(digest, keys, arguments), isAsking: isAsking)
  }

  /// Ends the connection for good; commands in flight get `lost`, later ones `unavailable`.
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
    case disconnected(RedisError, retrySeconds: Double)
  }

  /// WAIT counts from the last write of its connection, so it follows on the same one.
  private func run(_ evaluation: [[UInt8]], isAsking: Bool) async throws(RedisError) -> RedisReply {
    var commands = isAsking ? [RedisCommand.asking] : []
    commands.append(evaluation)
    if replicasMin > 0 {
      // A little less than the pipeline itself waits.
      let milliseconds = String(Int(timeoutSeconds * 800))
      commands.append(RedisCommand.words("WAIT", String(replicasMin), milliseconds))
    }
    let replies = try await together(commands)
    let reply: RedisReply
    do throws(RedisError) {
      reply = try replies[isAsking ? 1 : 0].get()
    } catch {
      // By its name it may be found elsewhere.
      if error.isReadOnly { connection?.end(.lost("the server has become a replica")) }
      throw error
    }
    if replicasMin > 0, case .integer(let count)? = replies.last, count < replicasMin {
      throw .server("NOREPLICAS only \(count) of \(replicasMin) replicas have it")
    }
    return reply
  }

  // MARK: Sending and connecting

  private struct Call {
    let arguments: RedisArguments
    let finish: (Result<RedisReply, RedisError>) -> Void
  }

  /// Sends commands that follow each other on one connection, and waits for the answers to all.
  private func together(_ commands: [[[UInt8]]]) async throws(RedisError) -> [RedisReply] {
    let calls = commands.map(RedisArguments.init)
    let byteCount = calls.reduce(0) { $0 + $1.byteCount }
    guard inFlightCount < Self.callsInFlightMax, inFlightBytes + byteCount <= Self.bytesInFlightMax
    else { throw .unavailable("too much waits for answers") }
    inFlightCount += calls.count
    inFlightBytes += byteCount
    let results = await withUnsafeContinuation {
      (continuation: UnsafeContinuation<[Result<RedisReply, RedisError>], Never>) in
      var results: [Result<RedisReply, RedisError>] = []
      for arguments in calls {
        submit(
          Call(arguments: arguments) { result in
            results.append(result)
            if results.count == calls.count { continuation.resume(returning: results) }
          })
      }
    }
    inFlightCount -= calls.count
    inFlightBytes -= byteCount
    var replies: [RedisReply] = []
    for result in results { replies.append(try result.get()) }
    return replies
  }

  private func submit(_ call: Call) {
    loop.preconditionOnLoop()
    if let connection, connection.isOpen {
      connection.send(call.arguments, finish: call.finish)
    } else if early != nil, !isClosed {
      early?.append(call)
    } else {
      call.finish(.failure(.unavailable("not connected")))
    }
  }

  private func connect() {
    reconnection = nil
    connection = RedisConnection(
      to: address, attempt: attempt, scripts: scripts, timeoutSeconds: timeoutSeconds, on: loop,
      onOpen: { [weak self] in self?.connected() },
      onEnd: { [weak self] in self?.disconnected($0) })
  }

  private func connected() {
    reconnectSeconds = Self.reconnectSecondsMin
    let early = takeEarly()
    // A connection that ends under them still answers the rest.
    if let connection { for call in early { connection.send(call.arguments, finish: call.finish) } }
    onEvent?(.connected)
  }

  private func disconnected(_ reason: RedisError) {
    connection = nil
    attempt &+= 1
    for call in takeEarly() { call.finish(.failure(.unavailable("not connected"))) }
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
