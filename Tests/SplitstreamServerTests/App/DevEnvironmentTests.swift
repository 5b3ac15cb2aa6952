import Glibc
import Testing

@testable import SplitstreamServer

/// `dev.env` is the only place where the demo keys stand: what is written is found again, and half
/// a file is none.
@Suite struct DevEnvironmentTests {
  private let environment = DevEnvironment(
    url: "http://127.0.0.1:8000", serverKey: "ss_srv_dev_a", clientKey: "ss_clt_dev_b",
    databaseURL: "postgresql://splitstream@/splitstream?host=/a%20b/run",
    redisURL: "unix:///a/run/redis.sock")

  @Test func itGoesThereAndBack() throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/dev.env"
    #expect(try DevEnvironment.read(from: file) == nil)
    try environment.write(to: file)
    #expect(try DevEnvironment.read(from: file) == environment)
    #expect(Files.status(file)?.st_mode == 0o100600)
  }

  @Test func itIsPlainText() {
    #expect(
      environment.text == """
        SPLITSTREAM_URL=http://127.0.0.1:8000
        SPLITSTREAM_SERVER_KEY=ss_srv_dev_a
        SPLITSTREAM_CLIENT_KEY=ss_clt_dev_b
        DATABASE_URL=postgresql://splitstream@/splitstream?host=/a%20b/run
        REDIS_URL=unix:///a/run/redis.sock

        """)
  }

  @Test("half a file is none", arguments: 0..<5)
  func half(missing: Int) {
    var lines = environment.text.split(separator: "\n")
    lines.remove(at: missing)
    #expect(DevEnvironment(parsing: lines.joined(separator: "\n")) == nil)
  }

  @Test func commentsAndOtherNamesAreLeftAlone() {
    let text = "# mine\nOTHER=x\nnothing\n" + environment.text
    #expect(DevEnvironment(parsing: text) == environment)
  }
}
