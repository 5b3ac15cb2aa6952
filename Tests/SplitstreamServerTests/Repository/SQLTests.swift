import Testing

@testable import SplitstreamServer

/// The program's SQL: listed whole, named once, and understood by PostgreSQL with the schema of
/// `migrations/`.
@Suite struct SQLTests {
  @Test("statements have names of their own")
  func names() {
    let names = Statements.all.map(\.name)
    #expect(Set(names).count == names.count)
    // PostgreSQL cuts names at 63 bytes; a connection adds a number.
    #expect(names.allSatisfy { $0.utf8.count < 50 })
  }

  /// Postgres/ is left out: what it sends knows no table of ours.
  @Test("every statement of the sources is listed")
  func listed() throws {
    var declared: [String] = []
    for path in try Repository.files(in: "Sources/SplitstreamServer", withExtension: "swift")
    where !path.contains("/Postgres/") {
      let text = try Repository.text(path)
      guard text.contains("Statement(") else { continue }
      declared += text.matches(of: /Statement\(\s*(?:\/\/[^\n]*\s*)?name: "(\w+)"/).map {
        String($0.1)
      }
      let constructed = SwiftSource(path: path, text: text).code.matches(of: /\bStatement\(/).count
      let named = text.matches(of: /Statement\(\s*(?:\/\/[^\n]*\s*)?name: "/).count
      #expect(constructed == named, "\(path) makes a statement without a literal name")
    }
    #expect(declared.sorted() == Statements.all.map(\.name).sorted())
  }

  @Test("PostgreSQL prepares every statement")
  func prepared() throws {
    let session = try StorageTesting.shared().session()
    for statement in Statements.all {
      do throws(PostgresError) {
        try session.script("PREPARE \"\(statement.name)\" AS \(statement.sql)")
      } catch {
        Issue.record("\(statement.name): \(error)")
      }
    }
  }

  @Test("the copied columns of an event are columns of the table")
  func copyColumns() throws {
    let session = try StorageTesting.shared().session()
    try session.transaction { () throws(PostgresError) in
      let bytes = EventCoding.copyHeader + EventCoding.copyTrailer
      var rest = [bytes][...]
      let copied = try session.copyIn(EventStore.copySQL) { rest.popFirst() }
      #expect(copied == 0)
    }
  }
}
