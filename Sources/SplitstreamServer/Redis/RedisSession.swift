import CHiredis
import Glibc

/// A connection to Redis that its caller waits for: for jobs and commands.
///
/// One thread's at a time. Every wait is bounded; after any error but the server's own the session
/// is closed for good, because a late answer would be taken for the next command's, and its owner
/// makes a new one.
final class RedisSession {
  private var context: UnsafeMutablePointer<redisContext>?
  private var digests: [String: [UInt8]] = [:]

  /// Connects and logs in, after Sentinels have said where, if there are any.
  init(
    to address: RedisAddress, connectSeconds: Double = 5, timeoutSeconds: Double = 5
  ) throws(RedisError) {
    let limit = Self.time(connectSeconds)
    // Begun anywhere: a session that is made again after a failure must not ask the same one first.
    let attempt = Int.random(in: 0..<1024)
    switch try address.sentinels?.primary(attempt: attempt) ?? address.endpoint {
    case .tcp(let host, let port): context = redisConnectWithTimeout(host, port, limit)
    case .unix(let path): context = redisConnectUnixWithTimeout(path, limit)
    }
    guard let context else { throw .unavailable("no memory for a connection") }
    guard context.pointee.err == 0, redisSetTimeout(context, Self.time(timeoutSeconds)) == REDIS_OK
    else {
      let reason = Self.message(context)
      close()
      throw .unavailable(reason)
    }
    _ = fcntl(context.pointee.fd, F_SETFD, FD_CLOEXEC)  // hiredis 0.14 leaves it to us.
    for command in address.greeting { _ = try self.command(command) }
  }

  deinit { close() }

  var isOpen: Bool { context != nil }

  func close() {
    if let context { redisFree(context) }
    context = nil
  }

  /// Sends one command and waits for its answer.
  func command(_ arguments: [[UInt8]]) throws(RedisError) -> RedisReply {
    guard let context else { throw .unavailable("the session is closed") }
    let reply = RedisArguments(arguments).withPointers { count, pointers, lengths in
      redisCommandArgv(context, count, pointers, lengths)
    }
    guard let reply else { throw failed(errno) }
    defer { freeReplyObject(reply) }
    return try RedisReply(reply.assumingMemoryBound(to: redisReply.self)).get()
  }

  /// Runs a script, which is loaded on first use and again when the server has forgotten it.
  func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) throws(RedisError) -> RedisReply {
    do throws(RedisError) {
      let digest = if let known = digests[script.name] { known } else { try load(script) }
      return try command(RedisCommand.evaluating(digest, keys, arguments))
    } catch {
      guard error.isNoScript else { throw error }
      let digest = try load(script)
      return try command(RedisCommand.evaluating(digest, keys, arguments))
    }
  }

  @discardableResult
  private func load(_ script: RedisScript) throws(RedisError) -> [UInt8] {
    guard case .bytes(let digest) = try command(RedisCommand.loading(script)) else {
      throw .server("SCRIPT LOAD gave no digest")
    }
    digests[script.name] = digest
    return digest
  }

  /// Closes the session and says why. A read that took too long ends with EAGAIN (SO_RCVTIMEO of
  /// socket(7)).
  private func failed(_ code: Int32) -> RedisError {
    defer { close() }
    guard let context else { return .unavailable("the session is closed") }
    let isTimeout = context.pointee.err == REDIS_ERR_IO && code == EAGAIN
    return isTimeout ? .timeout : .lost(Self.message(context))
  }

  private static func message(_ context: UnsafeMutablePointer<redisContext>) -> String {
    withUnsafeBytes(of: context.pointee.errstr) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  private static func time(_ seconds: Double) -> timeval {
    timeval(tv_sec: Int(seconds), tv_usec: Int((seconds - seconds.rounded(.down)) * 1e6))
  }
}
