import Testing

@testable import SplitstreamServer

/// The layers of the source hold: nothing names, imports or says what belongs to a layer it may not
/// know.
@Suite struct LayeringTests {
  @Test("no source breaches a layer")
  func sources() throws {
    let paths = try Repository.files(in: "Sources/SplitstreamServer", withExtension: "swift")
    #expect(!paths.isEmpty)
    let layers = Layers(try paths.map { SwiftSource(path: $0, text: try Repository.text($0)) })
    #expect(layers.breaches == [])
  }

  @Test("system libraries hold no code of ours but inline shims")
  func systemLibraries() throws {
    let shims = try Repository.files(in: "Sources", withExtension: "swift")
      .filter { !$0.hasPrefix("Sources/SplitstreamServer/") }
    #expect(shims == [])
    #expect(try Repository.files(in: "Sources", withExtension: "c") == [])
  }

  private static let world = [
    (
      "Postgres/PostgresError.swift",
      "enum PostgresError: Error { case timeout }\nprivate struct Row {}"
    ),
    ("EventLoop/EventLoop.swift", "import CEpoll\nfinal class EventLoop { enum Turn {} }"),
    ("JSON/JSONValue.swift", "struct JSONValue {}"),
    ("App/Server.swift", "import TOMLKit\nstruct Server { let error: PostgresError }"),
  ]

  private func breaches(_ path: String, _ text: String) -> [String] {
    let files = Self.world + [(path, text)]
    return Layers(files.map { SwiftSource(path: "Sources/SplitstreamServer/\($0.0)", text: $0.1) })
      .breaches
  }

  @Test(
    "a breach is found wherever the name stands",
    arguments: [
      ("Domain/A.swift", "func f() throws(PostgresError) {}", "names PostgresError of Postgres"),
      ("Domain/A.swift", "extension PostgresError {}", "names PostgresError of Postgres"),
      ("Domain/A.swift", "let a = [PostgresError]()", "names PostgresError of Postgres"),
      (
        "Domain/A.swift", "let a = \"\\(PostgresError.timeout)\"", "names PostgresError of Postgres"
      ),
      (
        "Domain/A.swift", "let a = #\"\"\"\n \"x\" \\#(f(1, PostgresError.self)) \"\"\"#",
        "names PostgresError of Postgres"
      ),
      ("Postgres/B.swift", "let a: JSONValue", "names JSONValue of JSON"),
      ("Storage/A.swift", "let a: Server", "names Server of App"),
      ("Domain/A.swift", "import Foundation", "imports Foundation"),
      (
        "Domain/A.swift", "@preconcurrency import FoundationEssentials",
        "imports FoundationEssentials"
      ),
      ("Postgres/B.swift", "import CEpoll", "imports CEpoll"),
      ("API/A.swift", "import struct TOMLKit.TOMLTable", "imports TOMLKit"),
      ("API/A.swift", "let a = \"SELECT 1\"", "speaks SQL: SELECT 1"),
      ("Jobs/A.swift", "let a = \"\"\"\n  INSERT INTO x\n  \"\"\"", "speaks SQL:   INSERT INTO x"),
    ])
  func breach(path: String, text: String, sentence: String) {
    #expect(breaches(path, text) == ["\(path) \(sentence)"])
  }

  @Test(
    "what is no breach is not one",
    arguments: [
      ("Postgres/B.swift", "import CPostgres\nfunc f(_ loop: EventLoop) throws(PostgresError) {}"),
      ("Domain/A.swift", "// PostgresError\n/* /* PostgresError */ PostgresError */ let a = 1"),
      (
        "Domain/A.swift",
        "let a = \"PostgresError \\\" PostgresError\"; let b = #\"\\(PostgresError)\"#"
      ),
      ("Domain/A.swift", "let a: JSONValue; let b: Outer.PostgresError; let c: Row"),
      ("Domain/A.swift", "struct Own { enum PostgresError {}; let e: PostgresError }"),
      ("Domain/A.swift", "func f<PostgresError: Error>(_ e: PostgresError) {}"),
      ("Domain/A.swift", "let a = \"Select one of these\"; let b = \"with care\""),
      ("Storage/A.swift", "let a = \"SELECT 1\"; let b: PostgresError"),
      ("main.swift", "let a: PostgresError; let b: JSONValue"),
    ])
  func noBreach(path: String, text: String) {
    #expect(breaches(path, text) == [])
  }

  @Test("a folder that the table does not know has no rights")
  func unknownFolder() {
    #expect(breaches("Utilities/A.swift", "let a = 1").count == 1)
  }
}
