import Foundation
import Testing

@testable import SplitstreamServer

/// A real Sentinel finds the primary dead and promotes the replica; nobody tells the server.
@Suite struct RedisSentinelTests {
  /// A primary, its replica and a Sentinel that decides alone.
  private final class Watched {
    let primary = TestRedis()
    let replica = TestRedis()
    private let sentinel = TestProcess()
    private let directory = TestDirectory.make("ss-sentinel")
    let port: Int

    init() throws {
      let ports = try (0..<3).map { _ in try FreePort.take() }
      port = ports[2]
      primary.start(["--port", "\(ports[0])"])
      replica.start(["--port", "\(ports[1])", "--replicaof", "127.0.0.1", "\(ports[0])"])
      let settings = """
        bind 127.0.0.1
        port \(port)
        dir \(directory)
        sentinel monitor main 127.0.0.1 \(ports[0]) 1
        sentinel down-after-milliseconds main 8000
        sentinel failover-timeout main 2000

        """
      // It keeps there what it learns.
      let file = directory + "/sentinel.conf"
      try settings.write(toFile: file, atomically: true, encoding: .utf8)
      sentinel.start("setpriv", ["--pdeathsig=KILL", "redis-server", file, "--sentinel"])
      try replica.waitUntilItFollows()
      let question = RedisTesting.words("SENTINEL", "REPLICAS", "main")
      let url = "redis://127.0.0.1:\(port)"
      TestProcess.waitUntil("the Sentinel knows the replica") {
        guard let session = try? RedisTesting.session(url),
          case .array(let replicas)? = try? session.command(question)
        else { return false }
        return replicas.count == 1
      }
    }

    /// Nobody listens where the first Sentinel is looked for.
    func url(_ name: String) -> String { "sentinel://127.0.0.1:1,127.0.0.1:\(port)/\(name)" }

    func remove() {
      sentinel.kill(SIGKILL)
      primary.remove()
      replica.remove()
      TestDirectory.remove(directory)
    }
  }

  @Test("after a failover the promoted replica is found, with what it was sent before")
  func failover() async throws {
    let watched = try Watched()
    defer { watched.remove() }
    let url = watched.url("main")
    let primary = watched.primary
    try await RedisTesting.withPipeline(url) { pipeline, _ in
      func add() async throws -> RedisReply {
        try await pipeline.evaluate(
          RedisTesting.sum, keys: RedisTesting.words("total"), arguments: RedisTesting.words("1"))
      }
      var events = pipeline.events().makeAsyncIterator()
      while await events.next() != .connected {}
      try await #expect(add() == .integer(1))
      let confirmed = await RedisTesting.outcome(of: pipeline, "WAIT", "1", "20000")
      #expect(confirmed == .success(.integer(1)))
      primary.kill()
      let deadline = ContinuousClock.now + .seconds(180)
      var total: RedisReply?
      while total == nil, ContinuousClock.now < deadline {
        total = try? await add()
        if total == nil { try await Task.sleep(for: .milliseconds(50)) }
      }
      #expect(total == .integer(2))
    }
    // A Sentinel has half a second to say where the primary is.
    try await onThread {
      TestProcess.waitUntil("a session finds the total, too") {
        (try? RedisTesting.session(url).number("GET", Array("total".utf8))) == 2
      }
    }
  }

  @Test("a name that no Sentinel knows is told")
  func unknownName() async throws {
    let watched = try Watched()
    defer { watched.remove() }
    let url = watched.url("other")
    let reason = RedisError.unavailable(
      "no Sentinel says where other is (127.0.0.1:\(watched.port) knows no such name)")
    // Unless it was late to say so, which is another reason.
    try await onThread {
      TestProcess.waitUntil("a session is told") {
        do { _ = try RedisTesting.session(url) } catch { return error as? RedisError == reason }
        return false
      }
    }
    try await RedisTesting.withPipeline(url) { pipeline, _ in
      let told = await pipeline.events().prefix(20).contains {
        if case .disconnected(reason, _) = $0 { true } else { false }
      }
      #expect(told)
    }
  }
}
