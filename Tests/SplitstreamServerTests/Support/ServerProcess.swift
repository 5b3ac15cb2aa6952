import Foundation
import Glibc

@testable import SplitstreamServer

/// The built program as a process of its own, on stores of the tests.
final class ServerProcess: Sendable {
  private let process = TestProcess()
  private let log: String

  /// Starts it; `port` waits until it serves.
  ///
  /// - Parameters:
  ///   - settings: TOML values by their full keys.
  ///   - descriptorsMax: the most descriptors it may have open (RLIMIT_NOFILE).
  init(
    in folder: TemporaryFolder, _ settings: [String: String], descriptorsMax: Int? = nil
  ) throws {
    let name = "\(UUID())"
    log = folder.path + "/\(name).log"
    var sections: [String: [String]] = [:]
    for (key, value) in settings {
      let parts = key.split(separator: ".")
      sections[String(parts[0]), default: []].append("\(parts[1]) = \(value)")
    }
    let toml = sections.map { "[\($0.key)]\n" + $0.value.joined(separator: "\n") }
    let file = try folder.write(toml.joined(separator: "\n"), to: "\(name).toml")
    let limit = descriptorsMax.map { "ulimit -n \($0); " } ?? ""
    process.start(
      "sh", ["-c", "\(limit)exec \"$0\" --config \"$1\" 2>\"$2\"", Self.program, file, log])
  }

  /// Settings of a server whose stores are not there: enough for what is answered without them.
  static func settings() -> [String: String] {
    [
      "server.port": "0", "server.loops": "2",
      "postgres.url": "\"postgresql://nobody@%2Fnowhere/none\"",
      "redis.url": "\"unix:///nowhere/redis.sock\"",
      "security.pepper": "\"\(Pepper.random())\"",
    ]
  }

  /// The port it serves on, once it does.
  var port: Int {
    var port: Int?
    TestProcess.waitUntil("the server serves: \(log)") {
      port = lines.first { $0["message"]?.string == "serving" }?["port"]?.integer
      return port != nil
    }
    return port ?? 0
  }

  /// What it has logged.
  var lines: [JSONValue] {
    let bytes = (try? Files.readBytes(log)) ?? []
    return bytes.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONValue(parsing: $0) }
  }

  func waitUntilLogged(_ message: String) {
    TestProcess.waitUntil("the server logs \(message): \(log)") {
      lines.contains { $0["message"]?.string == message }
    }
  }

  func signal(_ number: Int32) { process.signal(number) }

  /// Waits for its end; the status of wait(2).
  func wait() -> Int32 { process.wait() }

  deinit { process.kill(SIGKILL) }

  /// Built together with the tests, next to their program: whatever the folder of this build.
  private static let program =
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().path + "/splitstream-server"
}
