import Foundation
import Glibc

@testable import SplitstreamServer

/// The PostgreSQL and the Redis of a test run: started on first use, private to the process,
/// removed at its end.
final class TestServers: Sendable {
  static let shared = TestServers()

  let postgres: TestPostgres
  let redis: TestRedis
  private let databases = Counter()
  private let redisDatabases = Counter()

  private init() {
    postgres = TestPostgres()
    redis = TestRedis()
    postgres.start()
    redis.start()
    atexit { TestServers.shared.stop() }
  }

  /// The URL of an empty database that nobody else uses.
  func postgresURL(database prefix: String = "test") throws -> String {
    let name = "\(prefix)_\(databases.next())"
    let session = try PostgresSession.patient(
      to: postgres.url("postgres"), applicationName: "tests")
    // The template that nobody connects to, so that databases can be made at the same time.
    try session.script("CREATE DATABASE \"\(name)\" TEMPLATE template0")
    return postgres.url(name)
  }

  /// Shared by all suites: each keeps to keys with a prefix of its own.
  var redisURL: String { redis.url }

  /// The URL of a Redis database that nobody else uses: for what names its keys by itself.
  func redisDatabaseURL() -> String { "\(redis.url)?db=\(redisDatabases.next())" }

  private func stop() {
    postgres.remove()
    redis.remove()
  }
}

extension PostgresSession {
  /// For what a test does itself: it may wait for other tests, on a machine that is slow because
  /// all of them run.
  static func patient(to url: String, applicationName: String) throws -> PostgresSession {
    try PostgresSession(
      to: PostgresAddress(parsing: url), applicationName: applicationName, connectSeconds: 60,
      timeoutSeconds: 300)
  }
}

/// A PostgreSQL cluster of a test's own, on a unix socket in a temporary directory.
final class TestPostgres: Sendable {
  let directory = TestDirectory.make("ss-pg")
  private let process = TestProcess()
  private let asPostgres =
    geteuid() == 0 ? ["--reuid=postgres", "--regid=postgres", "--clear-groups"] : []

  init() {
    if geteuid() == 0, let user = getpwnam("postgres") {
      chown(directory, user.pointee.pw_uid, user.pointee.pw_gid)
    }
    let initdb = TestProcess()
    initdb.start(
      "setpriv",
      asPostgres + [
        "\(Self.binaries)/initdb", "--pgdata=\(directory)/data", "--username=postgres",
        "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale",
      ])
    precondition(initdb.wait() == 0, "initdb failed: see \(directory)")
  }

  func url(_ database: String) -> String {
    let host = directory.replacing("/", with: "%2F")
    return "postgres://postgres@\(host):5432/\(database)"
  }

  /// Returns when it takes connections.
  func start() {
    process.start(
      "setpriv",
      asPostgres + [
        "--pdeathsig=QUIT", "\(Self.binaries)/postgres", "-D", "\(directory)/data", "-k", directory,
        "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=1000",
        "-c", "shared_buffers=32MB",
      ])
    let address = try? PostgresAddress(parsing: url("postgres"))
    TestProcess.waitUntil("PostgreSQL in \(directory) answers") {
      address.flatMap { try? PostgresSession(to: $0, applicationName: "tests") } != nil
    }
  }

  func kill() { process.kill(SIGQUIT) }
  func pause() { process.signalAll(SIGSTOP) }
  func resume() { process.signalAll(SIGCONT) }
  func remove() {
    kill()
    TestDirectory.remove(directory)
  }

  private static let binaries: String = {
    let versions =
      (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
    let newest = versions.compactMap(Int.init).max()
    return "/usr/lib/postgresql/\(newest ?? 15)/bin"
  }()
}

/// A Redis of a test's own, on a unix socket in a temporary directory, as durable as the product's.
final class TestRedis: Sendable {
  let directory = TestDirectory.make("ss-redis")
  private let process = TestProcess()

  init() {
    // As the server does at its start: hiredis writes to sockets whose peer may be gone.
    signal(SIGPIPE, SIG_IGN)
  }

  var url: String { "unix://\(directory)/redis.sock" }

  /// Returns when it takes connections. `options` are added to the command line.
  func start(_ options: [String] = []) {
    process.start(
      "setpriv",
      [
        "--pdeathsig=KILL", "redis-server", "--port", "0", "--unixsocket",
        "\(directory)/redis.sock",
        "--dir", directory, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
        "--maxmemory-policy", "noeviction", "--databases", "1000",
      ] + options)
    TestProcess.waitUntil("Redis in \(directory) answers") { self.answers() }
  }

  func kill() { process.kill(SIGKILL) }
  /// While paused it keeps its connections and answers nothing.
  func pause() { process.signal(SIGSTOP) }
  func resume() { process.signal(SIGCONT) }
  func remove() {
    kill()
    TestDirectory.remove(directory)
  }

  /// Any answer will do, also that a password is wanted; it is only more than `LOADING`.
  private func answers() -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) {
      $0.copyBytes(from: "\(directory)/redis.sock".utf8)
    }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard connected == 0, write(descriptor, "GET x\r\n", 7) == 7 else { return false }
    var answer = [UInt8](repeating: 0, count: 256)
    let count = read(descriptor, &answer, answer.count)
    return count > 0 && !String(decoding: answer[..<count], as: UTF8.self).hasPrefix("-LOADING")
  }
}
