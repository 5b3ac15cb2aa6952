import Foundation
import Testing

@testable import SplitstreamServer

/// `dev` brings up real stores from nothing, keeps what they hold, and starts again after any end
/// of an earlier run.
@Suite(.serialized) struct PrivateServersTests {
  private let temporary: TemporaryFolder
  private let path: String

  init() throws {
    temporary = try TemporaryFolder()
    path = temporary.path + "/data"
  }

  /// A folder whose database is made: a copy of one that is made once, which is the slow part.
  private func madeFolder() throws -> DataFolder {
    let template = try Self.template.get()
    let copy = Process()
    copy.executableURL = URL(filePath: "/bin/cp")
    copy.arguments = ["-a", template.path + "/data", path]
    try copy.run()
    copy.waitUntilExit()
    return try DataFolder(path, fallback: nil)
  }

  private static let template: Result<TemporaryFolder, any Error> = Result {
    let template = try TemporaryFolder()
    // A static is never released: its folder goes with the process.
    atexit { if case .success(let template) = PrivateServersTests.template { template.remove() } }
    try PrivateServers(in: DataFolder(template.path + "/data", fallback: nil)).stop()
    return template
  }

  @Test func theStoresAreDurableAndPrivate() throws {
    let folder = try madeFolder()
    let servers = try PrivateServers(in: folder)
    defer { servers.stop() }
    let settings = [
      "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
      "server_encoding": "UTF8", "lc_collate": "C", "TimeZone": "UTC", "listen_addresses": "",
    ]
    for (name, value) in settings { #expect(try sql("SHOW \(name)", folder) == value, "\(name)") }
    #expect(try sql("SELECT current_database(), current_user", folder) == "splitstream|splitstream")
    let rules =
      "SELECT count(*) FROM pg_hba_file_rules WHERE type <> 'local' AND auth_method <> 'reject'"
    #expect(try sql(rules, folder) == "0")

    #expect(try redis(["CONFIG", "GET", "append*"], folder).contains("appendfsync\nalways"))
    #expect(try redis(["CONFIG", "GET", "appendonly"], folder) == "appendonly\nyes")
    #expect(
      try redis(["CONFIG", "GET", "maxmemory-policy"], folder) == "maxmemory-policy\nnoeviction")
    #expect(try redis(["CONFIG", "GET", "port"], folder) == "port\n0")
    for place in [folder.sockets, folder.postgresData, folder.redisData] {
      #expect(Files.status(place)?.st_mode == 0o040700, "\(place)")
    }
  }

  @Test func dataOutlivesAStopAndALoneFolderIsTakenOnce() throws {
    var folder: DataFolder? = try madeFolder()
    let pepper = try #require(folder).pepper().hash("key")
    #expect(throws: PrivateServerError.inUse(folder: try Files.absolute(path), pid: "\(getpid())"))
    {
      try DataFolder(path, fallback: nil)
    }
    do {
      let servers = try PrivateServers(in: #require(folder))
      _ = try sql("CREATE TABLE kept AS SELECT 7 AS number", servers.folder)
      #expect(try redis(["SET", "kept", "7"], servers.folder) == "OK")
      servers.stop()
      #expect(leftovers(servers.folder).isEmpty)
      #expect(try servers.reviveDead().isEmpty)
    }
    folder = nil

    let again = try PrivateServers(in: DataFolder(path, fallback: nil))
    defer { again.stop() }
    #expect(try sql("SELECT number FROM kept", again.folder) == "7")
    #expect(try redis(["GET", "kept"], again.folder) == "7")
    #expect(try again.folder.pepper().hash("key") == pepper)
    #expect(Files.status(again.folder.path + "/pepper")?.st_mode == 0o100600)
  }

  @Test func aKilledStoreIsRevivedWithItsData() throws {
    let servers = try PrivateServers(in: madeFolder())
    defer { servers.stop() }
    _ = try sql("CREATE TABLE kept AS SELECT 7 AS number", servers.folder)
    _ = try redis(["SET", "kept", "7"], servers.folder)
    let killed = leftovers(servers.folder)
    // A postmaster about to start a child looks like two for a moment.
    #expect(killed.count >= 2)
    for pid in killed { kill(pid, SIGKILL) }
    var revived: [String] = []
    _ = Deadline(seconds: 120).poll { () -> Bool? in
      revived += (try? servers.reviveDead()) ?? []
      return revived.count < 2 ? nil : true
    }
    #expect(revived.sorted() == ["PostgreSQL", "Redis"])
    #expect(try sql("SELECT number FROM kept", servers.folder) == "7")
    #expect(try redis(["GET", "kept"], servers.folder) == "7")
  }

  @Test func whatAnEarlierRunLeftIsCleared() throws {
    let folder = try madeFolder()
    // Orphans that still run: a second start of the same plans finds the first ones.
    let orphans = try [PrivatePostgres.plan(in: folder), PrivateRedis.plan(in: folder)].map(
      PrivateServer.init)
    for orphan in orphans { try orphan.start() }
    let before = Set(leftovers(folder))
    let servers = try PrivateServers(in: folder)
    // A postmaster about to start a child looks like two for a moment.
    #expect(before.count >= 2 && before.isDisjoint(with: leftovers(folder)))
    servers.stop()

    // A pid file whose number belongs to a living process that is no PostgreSQL.
    try "\(getpid())\n\(folder.postgresData)\n".write(
      toFile: folder.postgresData + "/postmaster.pid", atomically: false, encoding: .utf8)
    let again = try PrivateServers(in: folder)
    #expect(try sql("SELECT 1", folder) == "1")
    again.stop()
  }

  @Test func aHalfMadeDatabaseIsMadeAnew() throws {
    let folder = try DataFolder(path, fallback: nil)
    try folder.makePrivate(folder.postgresData + ".new")
    try "15".write(
      toFile: folder.postgresData + ".new/PG_VERSION", atomically: false, encoding: .utf8)
    let servers = try PrivateServers(in: folder)
    defer { servers.stop() }
    #expect(try sql("SELECT 1", folder) == "1")
    #expect(!Files.exists(folder.postgresData + ".new"))
  }

  @Test func aFailedStartQuotesTheLog() throws {
    let folder = try madeFolder()
    let servers = try PrivateServers(in: folder)
    servers.stop()
    try "no such setting\n".write(
      toFile: folder.postgresData + "/postgresql.conf", atomically: false, encoding: .utf8)
    let error = try #require(throws: PrivateServerError.self) { try PrivateServers(in: folder) }
    guard case .ended("PostgreSQL", .exited(1), folder.postgresLog, let lines) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(lines.contains { $0.contains("syntax error in file") })
    #expect(error.description.contains("\(folder.postgresLog):\n    "))
    #expect(leftovers(folder).isEmpty)
  }

  @Test func aLongPathHasItsSocketsElsewhere() throws {
    let long = path + "/" + String(repeating: "long-folder/", count: 12) + "ü &%"
    let folder = try DataFolder(long, fallback: nil)
    let servers = try PrivateServers(in: folder)
    defer { rmdir(folder.sockets) }
    #expect(folder.sockets.utf8.count < 60 && !folder.sockets.hasPrefix(long))
    #expect(try sql("SELECT 1", folder) == "1")
    #expect(try redis(["PING"], folder) == "PONG")
    servers.stop()
    // Somebody else's folder at that place is not used.
    if geteuid() == 0 {
      chown(folder.sockets, 65_534, 65_534)
      #expect(throws: PrivateServerError.notOurs(folder: folder.sockets)) {
        try folder.makePrivate(folder.sockets)
      }
    }
  }

  @Test func socketsAreEscapedInURLs() throws {
    let folder = try DataFolder(path + "/a b&ü?", fallback: nil)
    let real = try Files.absolute(path)
    #expect(
      PrivatePostgres.url(in: folder)
        == "postgresql://splitstream@/splitstream?host=\(real)/a%20b%26%C3%BC%3F/run")
    #expect(PrivateRedis.url(in: folder) == "unix://\(real)/a%20b%26%C3%BC%3F/run/redis.sock")
  }

  @Test(
    "where PostgreSQL's user may not go, the data goes elsewhere", .enabled(if: geteuid() == 0),
    arguments: [false, true])
  func closedFolders(exists: Bool) throws {
    let closed = temporary.path + "/home"
    try Files.makeFolder(closed, mode: 0o700)
    let requested = closed + "/clone/.splitstream"
    if exists { try Files.makeFolder(requested) }
    let place = temporary.path + "/var"
    let user = try #require(try ServiceUser.forServers())
    #expect(throws: PrivateServerError.self) { try DataFolder(requested, fallback: nil) }
    do {
      let folder = try DataFolder(requested, fallback: place)
      #expect(folder.path == place && folder.user == user)
      try DevEnvironment(url: "u", serverKey: "s", clientKey: "c", databaseURL: "d", redisURL: "r")
        .write(to: folder.environmentFile)
    }
    #expect(try DevEnvironment.read(from: requested + "/dev.env")?.serverKey == "s")
    // The second start finds its data again.
    #expect(try DataFolder(requested, fallback: place).path == place)
  }

  // MARK: Asking the stores with their own clients

  private func sql(_ statement: String, _ folder: DataFolder) throws -> String {
    try output(of: "psql", ["-XAtc", statement, PrivatePostgres.url(in: folder)])
  }

  private func redis(_ command: [String], _ folder: DataFolder) throws -> String {
    try output(of: "redis-cli", ["-s", folder.redisSocket] + command)
  }

  private func leftovers(_ folder: DataFolder) -> [pid_t] {
    ProcessTable.find(program: "postgres", argument: folder.postgresData)
      + ProcessTable.find(program: "redis-server", argument: folder.redisData)
  }

  private func output(of program: String, _ arguments: [String]) throws -> String {
    try ProgramRun("/usr/bin/" + program, arguments).output.trimmingCharacters(in: .newlines)
  }
}
