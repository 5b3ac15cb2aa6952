import Foundation
import Testing

@testable import SplitstreamServer

/// The README says what is so: its commands are run as they stand, its table is the code's.
@Suite struct ReadmeTests {
  private let readme: String

  init() throws {
    readme = try Repository.text("README.md")
  }

  @Test func theConfigurationTableIsTheCodes() {
    #expect(
      readme.contains(ConfigurationKey.markdownTable()),
      "put the output of `splitstream-server check-config --keys` into the README")
  }

  @Test func everyTargetNamedIsInTheMakefile() throws {
    let makefile = try Repository.text("Makefile")
    let named = readme.matches(of: /(?m)(^|`)make ([a-z][a-z-]*)/).map { String($0.output.2) }
    #expect(named.contains("run") && named.contains("test"))
    for target in Set(named) {
      #expect(makefile.contains("\n\(target):"), "make \(target)")
    }
  }

  @Test func everyFileNamedInTheTourExists() throws {
    let sources = try Repository.files(in: "Sources/SplitstreamServer", withExtension: "swift")
    for match in readme.matches(of: /`([A-Za-z]+\/)?([A-Za-z]+\.swift)`/) {
      let name = String(match.output.1 ?? "") + match.output.2
      #expect(sources.contains { $0.hasSuffix("/\(name)") }, "\(name)")
    }
  }

  /// The quick-start, followed literally by a shell, ends with a decision.
  @Test func theCommandsWork() throws {
    let server = try RunningServer()
    defer { server.stop() }
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try FileManager.default.createDirectory(
      atPath: folder.path + "/.splitstream", withIntermediateDirectories: true)
    try DevEnvironment(
      url: "http://127.0.0.1:\(server.port)", serverKey: server.tenant.key,
      clientKey: server.tenant.clientKey,
      databaseURL: server.stores.postgresURL, redisURL: server.stores.redisURL
    ).write(to: folder.path + "/.splitstream/dev.env")

    let blocks = readme.matches(of: /(?s)```sh\n(.*?)```/).map { String($0.output.1) }
    #expect(blocks.count >= 6)
    #expect(blocks.contains { $0.contains("curl") })
    // curl by itself calls a refused request a success; here one is the end.
    let script =
      "set -euo pipefail\ncurl() { command curl --fail-with-body \"$@\"; }\n"
      + blocks.joined(separator: "\n")
    let output = try Self.bash(script, in: folder.path)
    #expect(output.contains("checkout-button, snapshot of"))
    #expect(output.contains("Decision: LAUNCH: decision rule satisfied, won, winner green"))
    #expect(output.contains(#""stop_reason":"won""#))
  }

  /// What a script prints; a failure is an issue that shows it.
  private static func bash(_ script: String, in folder: String) throws -> String {
    let run = try ProgramRun("/bin/bash", ["-c", script], in: folder)
    #expect(run.status == 0, "\(run.output)")
    return run.output
  }
}
