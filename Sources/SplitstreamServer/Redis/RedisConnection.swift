import CHiredis
import Glibc

/// One connection on a loop, from the first packet to its end; it is never used again after that.
///
/// Loop-owned. hiredis keeps the bytes and the protocol; who waits, and for how long, is kept here,
/// because hiredis
/// 0.14 knows no time-outs. Calls are answered in the order in which they were sent.
final class RedisConnection: Watcher {
  private(set) var isOpen = false
  /// The SHA-1 of each script, by its name.
  private(set) var digests: [String: [UInt8]] = [:]

  private let loop: EventLoop
  private let timeoutSeconds: Double
  private let onOpen: () -> Void
  private let onEnd: (RedisError) -> Void
  /// nil when hiredis has freed it.
  private var context: UnsafeMutablePointer<redisAsyncContext>?
  private var watched: Int32?
  private var hasOutput = false
  private var isEnded = false
  private var refusal: RedisError?
  private var greetingsLeft = 0
  private var timeout: DeadlineToken?
  private var calls: [Call] = []
  private var firstCall = 0  // Those before it are answered.

  /// Begins to connect. `onOpen` and `onEnd` are called at most once each, never before this
  /// returns.
  ///
  /// - Parameter attempt: which of a host's addresses is tried, one after the other.
  init(
    to address: RedisAddress, attempt: Int = 0, scripts: [RedisScript], timeoutSeconds: Double,
    on loop: EventLoop,
    onOpen: @escaping () -> Void, onEnd: @escaping (RedisError) -> Void
  ) {
    self.loop = loop
    self.timeoutSeconds = timeoutSeconds
    self.onOpen = onOpen
    self.onEnd = onEnd
    let begin = { [weak self] endpoint in
      guard let self else { return }
      if let timeout { loop.cancel(timeout) }
      timeout = nil
      start(endpoint, address.greeting, scripts)
    }
    timeout = loop.schedule(afterSeconds: timeoutSeconds) { [weak self] in self?.end(.timeout) }
    if let sentinels = address.sentinels {
      sentinels.primary(attempt: attempt, on: loop) { [weak self] result in
        guard let self, !isEnded else { return }
        switch result {
        case .success(let primary): withoutNames(primary, attempt, begin)
        case .failure(let error): end(error)
        }
      }
    } else {
      withoutNames(address.endpoint, attempt, begin)
    }
  }

  /// Calls `begin` with an endpoint whose host is numeric, at once when it is: hiredis would hold
  /// the loop up while it looks a name up.
  private func withoutNames(
    _ endpoint: RedisAddress.Endpoint, _ attempt: Int,
    _ begin: @escaping (RedisAddress.Endpoint) -> Void
  ) {
    guard case .tcp(let host, let port) = endpoint, HostLookup.isName(host) else {
      return begin(endpoint)
    }
    HostLookup.addresses(of: host, on: loop) { [weak self] addresses in
      guard let self, !isEnded else { return }
      guard !addresses.isEmpty else { return end(.unavailable("the host has no address")) }
      begin(.tcp(host: addresses[attempt % addresses.count], port: port))
    }
  }

  private func start(
    _ endpoint: RedisAddress.Endpoint, _ greeting: [[[UInt8]]], _ scripts: [RedisScript]
  ) {
    guard let context = Self.connect(endpoint), adopt(context) else {
      loop.schedule(afterSeconds: 0) { [weak self] in
        self?.end(self?.refusal ?? .unavailable("no descriptor for a connection"))
      }
      return
    }
    // The commands wait in hiredis's buffer until the connection is there; the first answer is due
    // like any other.
    for command in greeting { greet(command) { _ in } }
    for script in scripts {
      greet(RedisCommand.loading(script)) { [weak self] in
        if case .bytes(let digest) = $0 { self?.digests[script.name] = digest }
      }
    }
  }

  // MARK: Calls

  /// Sends a command with the output of this turn; `finish` is called once.
  func send(_ arguments: RedisArguments, finish: @escaping (Result<RedisReply, RedisError>) -> Void)
  {
    guard let context, !isEnded else { return finish(.failure(.unavailable("not connected"))) }
    let isTaken = arguments.withPointers { count, pointers, lengths in
      redisAsyncCommandArgv(context, Self.onReply, nil, count, pointers, lengths)
    }
    guard isTaken == REDIS_OK else {
      return finish(.failure(.unavailable("the connection is ending")))
    }
    let deadline = loop.now &+ UInt64(timeoutSeconds * 1e9)
    calls.append(Call(deadline: deadline, finish: finish))
    if timeout == nil { scheduleTimeout() }
  }

  /// Sends what the turn has collected.
  func flush() {
    guard hasOutput, let context, isOpen else { return }
    redisAsyncHandleWrite(context)
    settle()
  }

  /// Ends the connection; every call in flight gets `reason`. Never called from within hiredis.
  func end(_ reason: RedisError) {
    if isEnded { return }
    isEnded = true
    isOpen = false
    if let timeout { loop.cancel(timeout) }
    // Calls `onReply` without a reply for what is in flight, then `onCleanup`.
    if let context { redisAsyncFree(context) }
    let unanswered = calls[firstCall...]
    calls = []
    firstCall = 0
    for call in unanswered { call.finish(.failure(reason)) }
    onEnd(reason)
  }

  private func greet(_ command: [[UInt8]], _ take: @escaping (RedisReply) -> Void) {
    greetingsLeft += 1
    send(RedisArguments(command)) { [weak self] result in
      guard let self else { return }
      greetingsLeft -= 1
      do throws(RedisError) { take(try result.get().get()) } catch { refusal = refusal ?? error }
    }
  }

  private func answer(_ reply: RedisReply) {
    guard firstCall < calls.count else { return }
    let call = calls[firstCall]
    firstCall += 1
    // The array lets go of what was answered when that is most of it.
    if firstCall == calls.count || firstCall > 1024 {
      calls.removeFirst(firstCall)
      firstCall = 0
    }
    call.finish(.success(reply))
  }

  /// One command on its way.
  private struct Call {
    /// When the wait for the answer ends, in the loop's monotonic nanoseconds.
    let deadline: UInt64
    let finish: (Result<RedisReply, RedisError>) -> Void
  }

  // MARK: The descriptor

  func ready(_ readiness: Readiness) {
    // hiredis takes the first writable event for the end of connecting, successful or not.
    if let context, readiness.contains(.write) { redisAsyncHandleWrite(context) }
    if let context, readiness != .write { redisAsyncHandleRead(context) }
    settle()
  }

  /// What hiredis's callbacks have left to do: inside of them the context must not be freed.
  private func settle() {
    if isEnded { return }
    if context == nil { return end(refusal ?? .lost("the connection ended")) }
    if let refusal { return end(refusal) }
    if let watched { loop.rewatch(watched, hasOutput ? [.read, .write] : .read) }
    if !isOpen, greetingsLeft == 0 {
      isOpen = true
      onOpen()
    }
  }

  private static func connect(
    _ endpoint: RedisAddress.Endpoint
  ) -> UnsafeMutablePointer<redisAsyncContext>? {
    switch endpoint {
    case .tcp(let host, let port): redisAsyncConnect(host, port)
    case .unix(let path): redisAsyncConnectUnix(path)
    }
  }

  /// Ties the context to the loop. False, and the context freed, when it has failed already.
  private func adopt(_ context: UnsafeMutablePointer<redisAsyncContext>) -> Bool {
    let descriptor = context.pointee.c.fd
    guard context.pointee.err == 0, descriptor >= 0, watch(descriptor) else {
      refusal = .unavailable(Self.message(context))
      redisAsyncFree(context)
      return false
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)  // hiredis 0.14 leaves it to us.
    self.context = context
    // Unretained: the owner, and until `onCleanup` the loop, keep this object alive longer than the
    // context.
    let this = Unmanaged.passUnretained(self).toOpaque()
    context.pointee.data = this
    context.pointee.ev.data = this
    context.pointee.ev.addWrite = Self.onAddWrite
    context.pointee.ev.delWrite = Self.onDeleteWrite
    context.pointee.ev.cleanup = Self.onCleanup
    return true
  }

  private func watch(_ descriptor: Int32) -> Bool {
    do { try loop.watch(descriptor, [.read, .write], self) } catch { return false }
    watched = descriptor
    return true
  }

  /// hiredis is about to close the descriptor and free the context.
  private func contextEnds() {
    if let context, refusal == nil, !isEnded { refusal = .lost(Self.message(context)) }
    context = nil
    hasOutput = false
    if let watched { loop.unwatch(watched) }
    watched = nil
  }

  private static func message(_ context: UnsafeMutablePointer<redisAsyncContext>) -> String {
    context.pointee.errstr.map { String(cString: $0) } ?? "closed"
  }

  // MARK: Time-outs

  /// One timer for the oldest call: answers come in order, so no other can be due before it.
  private func scheduleTimeout() {
    guard firstCall < calls.count else { return }
    let due = calls[firstCall].deadline
    let seconds = due > loop.now ? Double(due - loop.now) / 1e9 : 0
    timeout = loop.schedule(afterSeconds: seconds) { [weak self] in
      guard let self else { return }
      timeout = nil
      guard firstCall < calls.count else { return }
      if calls[firstCall].deadline <= loop.now { return end(.timeout) }
      scheduleTimeout()
    }
  }

  // MARK: hiredis's callbacks

  private static let onReply:
    @convention(c) (
      UnsafeMutablePointer<redisAsyncContext>?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
    ) -> Void = { context, reply, _ in
      // Without a reply the context is being freed; `end` tells the callers.
      guard let this = context?.pointee.data, let reply else { return }
      let copy = RedisReply(reply.assumingMemoryBound(to: redisReply.self))
      Unmanaged<RedisConnection>.fromOpaque(this).takeUnretainedValue().answer(copy)
    }

  private static let onAddWrite: @convention(c) (UnsafeMutableRawPointer?) -> Void = { this in
    guard let this else { return }
    Unmanaged<RedisConnection>.fromOpaque(this).takeUnretainedValue().hasOutput = true
  }

  private static let onDeleteWrite: @convention(c) (UnsafeMutableRawPointer?) -> Void = { this in
    guard let this else { return }
    Unmanaged<RedisConnection>.fromOpaque(this).takeUnretainedValue().hasOutput = false
  }

  private static let onCleanup: @convention(c) (UnsafeMutableRawPointer?) -> Void = { this in
    guard let this else { return }
    Unmanaged<RedisConnection>.fromOpaque(this).takeUnretainedValue().contextEnds()
  }
}
