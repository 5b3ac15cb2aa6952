import Foundation
import Testing

@testable import SplitstreamServer

/// A schema is built once, in order, by whoever comes first, and never by a program that does not
/// know it.
@Suite struct MigratorTests {
  let url: String
  let session: PostgresSession
  let first = Migration(version: 1, name: "first", sql: "CREATE TABLE one (id bigint); SELECT 1")
  let second = Migration(version: 2, name: "second", sql: "CREATE TABLE two (id bigint)")

  init() throws {
    url = try TestServers.shared.postgresURL(database: "migrator")
    session = try PostgresTesting.session(url)
  }

  @Test("what is missing is applied, once")
  func apply() throws {
    let migrator = Migrator(session: session)
    #expect(try migrator.pending([first]) == [first])
    #expect(try migrator.apply([first]) == [first])
    #expect(try migrator.apply([first, second]) == [second])
    #expect(try migrator.apply([first, second]) == [])
    try session.script("SELECT * FROM one, two")
  }

  @Test("a migration that fails leaves no trace, and those before it stand")
  func fails() throws {
    let broken = Migration(version: 2, name: "broken", sql: "CREATE TABLE two (); SELECT 1/0")
    let error = #expect(throws: MigrationError.self) {
      try Migrator(session: session).apply([first, broken])
    }
    guard case .failed(version: 2, name: "broken", let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.sqlState == "22012")
    #expect(try Migrator(session: session).apply([first, second]) == [second])
  }

  @Test("a changed, an unknown and a late migration are refused")
  func refused() throws {
    let migrator = Migrator(session: session)
    _ = try migrator.apply([first, second])
    let changed = Migration(version: 1, name: "first", sql: "CREATE TABLE one (id text)")
    #expect(throws: MigrationError.changed(version: 1, name: "first")) {
      try migrator.apply([changed, second])
    }
    #expect(throws: MigrationError.unknown(version: 2, name: "second")) {
      try migrator.apply([first])
    }
    let late = Migration(version: 0, name: "late", sql: "SELECT 1")
    #expect(throws: MigrationError.outOfOrder(version: 0, name: "late")) {
      try migrator.apply([late, first, second])
    }
  }

  @Test("several processes at once apply each migration once")
  func concurrent() async throws {
    let applied = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask { [url, first, second] in
          try Migrator(session: PostgresTesting.session(url)).apply([first, second]).count
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(applied == 2)
  }
}
