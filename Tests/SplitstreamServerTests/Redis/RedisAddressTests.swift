import Testing

@testable import SplitstreamServer

/// The URL is the whole configuration of a connection: what is not understood must not be passed
/// over.
@Suite struct RedisAddressTests {
  @Test(
    "a URL is read",
    arguments: [
      ("redis://localhost", .tcp(host: "localhost", port: 6379), nil, nil, 0),
      ("redis://10.0.0.1:7000/3", .tcp(host: "10.0.0.1", port: 7000), nil, nil, 3),
      ("redis://[::1]:7000/", .tcp(host: "::1", port: 7000), nil, nil, 0),
      ("redis://[::1]", .tcp(host: "::1", port: 6379), nil, nil, 0),
      ("redis://me:p%40ss%3A%2f@h:1", .tcp(host: "h", port: 1), "me", "p@ss:/", 0),
      ("redis://:secret@h", .tcp(host: "h", port: 6379), nil, "secret", 0),
      ("unix:///run/redis.sock", .unix(path: "/run/redis.sock"), nil, nil, 0),
      ("unix://:secret@/run/a%20b?db=15", .unix(path: "/run/a b"), nil, "secret", 15),
      ("unix:///run/@b", .unix(path: "/run/@b"), nil, nil, 0),
    ] as [(String, RedisAddress.Endpoint, String?, String?, Int)])
  func read(
    url: String, endpoint: RedisAddress.Endpoint, user: String?, password: String?, database: Int
  ) throws {
    let address = try RedisAddress(parsing: url)
    #expect(address.endpoint == endpoint)
    #expect(address.user == user && address.password == password)
    #expect(address.database == database)
    #expect(!"\(address)".contains("secret"))
  }

  @Test(
    "Sentinels are read",
    arguments: [
      ("sentinel://a/main", [.tcp(host: "a", port: 26379)], "main", nil, 0),
      (
        "sentinel://me:secret@a:1,[::1]:2,[::2]/m%2F1/7",
        [.tcp(host: "a", port: 1), .tcp(host: "::1", port: 2), .tcp(host: "::2", port: 26379)],
        "m/1", "secret", 7
      ),
    ] as [(String, [RedisAddress.Endpoint], String, String?, Int)])
  func sentinels(
    url: String, endpoints: [RedisAddress.Endpoint], name: String, password: String?, database: Int
  ) throws {
    let address = try RedisAddress(parsing: url)
    #expect(address.sentinels?.endpoints == endpoints)
    #expect(address.sentinels?.name == name)
    #expect(address.password == password && address.database == database)
    #expect(!"\(address)".contains("secret"))
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", "redis", "redis:/h", "rediss://h", "http://h", "redis://", "redis://h:", "redis://h:0",
      "redis://h:+1", "redis://h:65536", "redis://h/x", "redis://h/-1", "redis://h/1/2",
      "redis://user@h", "redis://:%zz@h", "redis://:%4@h", "redis://:%00@h", "redis://:%ff@h",
      "sentinel://a", "sentinel://a/", "sentinel://a,/m", "sentinel:///m", "sentinel://a:x/m",
      "sentinel://a/m/x", "sentinel://a/m/1/2", "sentinel://a/%zz",
      "unix://relative", "unix:///s?database=1", "unix:///s?db=",
      "unix:///s?db=99999999999999999999",
      "unix:///" + String(repeating: "x", count: 107),
    ])
  func refuse(url: String) {
    #expect(throws: RedisError.invalidAddress) { try RedisAddress(parsing: url) }
  }
}
