import Glibc

/// The Redis of `dev`: an event is on disk before it is answered, and nothing is evicted.
enum PrivateRedis {
  static func plan(in folder: DataFolder) throws -> PrivateServer.Plan {
    let socket = folder.redisSocket
    let programs = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"]
    guard let program = programs.first(where: Files.exists) else {
      throw PrivateServerError.missing("Redis", package: "redis-server")
    }
    let settings = [
      ("port", "0"), ("unixsocket", socket), ("unixsocketperm", "700"), ("dir", folder.redisData),
      ("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction"),
      // The append-only file is the whole truth; a snapshot beside it would only cost.
      ("save", ""), ("daemonize", "no"), ("logfile", ""), ("always-show-logo", "no"),
      // Else the title hides the arguments by which a leftover is found.
      ("set-proc-title", "no"),
    ]
    return PrivateServer.Plan(
      name: "Redis", user: folder.user,
      arguments: [program] + settings.flatMap { ["--\($0.0)", $0.1] },
      log: folder.redisLog, mark: folder.redisData, leftovers: [socket],
      stopSignals: [SIGTERM], parentDeathSignal: "TERM",
      isReady: { _ in ping(socket) }, passingFault: nil)
  }

  /// For `REDIS_URL`.
  static func url(in folder: DataFolder) -> String {
    "unix://\(folder.escapedSockets)/redis.sock"
  }

  /// Whether it has loaded its data: until then it answers `-LOADING`.
  private static func ping(_ path: String) -> Bool {
    let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard connection >= 0 else { return false }
    defer { close(connection) }
    // A server that accepts and says nothing must not hold up the deadline.
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(
      connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isShort = withUnsafeMutableBytes(of: &address.sun_path) { target in
      guard path.utf8.count < target.count else { return false }
      target.copyBytes(from: path.utf8)
      return true
    }
    guard isShort else { return false }
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(connection, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    let question = Array("PING\r\n".utf8)
    guard isConnected,
      send(connection, question, question.count, Int32(MSG_NOSIGNAL)) == question.count
    else { return false }
    var answer = [UInt8](repeating: 0, count: 64)
    let count = recv(connection, &answer, answer.count, 0)
    return count > 0 && answer[..<count].starts(with: "+PONG".utf8)
  }
}
