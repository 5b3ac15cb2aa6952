import Testing

@testable import SplitstreamServer

/// What a Redis says of itself is held against what a promise to keep events needs.
@Suite struct RedisDurabilityTests {
  @Test("the tests' own Redis is as durable as the product's")
  func durable() throws {
    let address = try RedisAddress(parsing: TestServers.shared.redisURL)
    let session = try RedisSession(to: address)
    let durability = RedisDurability(try RedisDurability.questions.map(session.command))
    #expect(durability.shortfalls(of: RedisDeployment(address: address)) == [])
    #expect(
      durability.description
        == "appendonly yes, appendfsync always, maxmemory-policy noeviction, role master, "
        + "connected_slaves 0")
  }

  @Test("each demand that is not met is named, by the command and in the log")
  func shortfalls() async throws {
    let redis = TestRedis()
    defer { redis.remove() }
    redis.start([
      "--appendonly", "no", "--appendfsync", "everysec", "--maxmemory-policy", "allkeys-lru",
    ])
    var settings = Configuration()
    settings.redis.url = redis.url
    let findings = try CheckConfigCommand.findings(settings)
    #expect(findings.count == 3 && findings.allSatisfy { $0.hasPrefix("warning: Redis has ") })
    #expect(findings.contains { $0.contains("appendfsync everysec instead of always") })

    let folder = try TemporaryFolder()
    let server = try ServerProcess(
      in: folder,
      ServerProcess.settings().merging(["redis.url": "\"\(redis.url)\""]) { $1 })
    TestProcess.waitUntil("the log warns of all three") {
      let lines = server.lines.compactMap { $0["message"]?.string }
      return lines.count { $0.hasPrefix("Redis has ") } == 3
    }
  }

  @Test("a Redis that is not there is no mistake of the configuration")
  func absent() throws {
    var settings = Configuration()
    settings.redis.url = "unix:///nowhere/redis.sock"
    let findings = try CheckConfigCommand.findings(settings)
    #expect(findings.count == 1 && findings[0].hasPrefix("note: "))
  }
}
