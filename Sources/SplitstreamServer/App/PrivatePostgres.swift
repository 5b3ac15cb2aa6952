import Glibc

/// The PostgreSQL of `dev`: real, durable, reachable through a socket in a folder of its own and by
/// nothing else.
enum PrivatePostgres {
  static let database = "splitstream"

  /// Makes the cluster where there is none yet and says how it is run.
  static func plan(in folder: DataFolder) throws -> PrivateServer.Plan {
    let data = folder.postgresData
    let programs = try self.programs(for: data)
    if !Files.exists(data + "/PG_VERSION") { try initialise(folder, programs) }
    return PrivateServer.Plan(
      name: "PostgreSQL", user: folder.user,
      arguments: ["\(programs)/postgres", "-D", data] + settings(sockets: folder.sockets),
      log: folder.postgresLog, mark: data,
      leftovers: [
        "\(data)/postmaster.pid", "\(folder.sockets)/.s.PGSQL.5432",
        "\(folder.sockets)/.s.PGSQL.5432.lock",
      ],
      // "Fast": ends the sessions, writes a checkpoint. Then "immediate": the next start recovers.
      stopSignals: [SIGINT, SIGQUIT], parentDeathSignal: "INT",
      isReady: { isReady($0, data) },
      // Backends of a killed postmaster need a moment to notice.
      passingFault: "is still in use")
  }

  /// For `DATABASE_URL`.
  static func url(in folder: DataFolder) -> String {
    "postgresql://splitstream@/\(database)?host=\(folder.escapedSockets)"
  }

  private static func settings(sockets: String) -> [String] {
    [
      "listen_addresses=", "port=5432", "unix_socket_directories=\(quoted(sockets))",
      "unix_socket_permissions=0700", "fsync=on", "synchronous_commit=on", "full_page_writes=on",
      "max_connections=200", "shared_buffers=128MB", "max_wal_size=2GB", "jit=off",
      "timezone=UTC", "log_timezone=UTC", "logging_collector=off", "log_destination=stderr",
      "cluster_name=splitstream",
    ].flatMap { ["-c", $0] }
  }

  /// A name in a list of names: commas and blanks in the path must not part it.
  private static func quoted(_ path: String) -> String {
    "\"" + path.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
      + "\""
  }

  /// postmaster.pid: the process on the first line, its state on the eighth, as pg_ctl reads it.
  private static func isReady(_ pid: pid_t, _ data: String) -> Bool {
    guard let text = try? Files.read("\(data)/postmaster.pid") else { return false }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.count >= 8 && lines[0] == "\(pid)" && lines[7].hasPrefix("ready")
  }

  /// Whole or not at all: made beside its place, with the database in it, and moved there when it
  /// is done.
  private static func initialise(_ folder: DataFolder, _ programs: String) throws {
    let draft = folder.postgresData + ".new"
    let script = folder.path + "/create-database.sql"
    defer { unlink(script) }
    try Files.writePrivate(DatabaseCreation.script(database), to: script)
    try run(["rm", "-rf", draft], folder.postgresLog)
    try folder.makePrivate(draft)
    try run(
      [
        "\(programs)/initdb", "--pgdata=\(draft)", "--username=splitstream", "--encoding=UTF8",
        "--locale=C", "--data-checksums", "--auth-local=trust", "--auth-host=reject",
        "--no-instructions", "--no-sync",
      ], folder.postgresLog, as: folder.user)
    try run(
      ["\(programs)/postgres", "--single", "-F", "-D", draft, "postgres"], folder.postgresLog,
      as: folder.user, input: script)
    // Written without waiting for the disk, and then once for all of it.
    try run(
      ["\(programs)/initdb", "--sync-only", "--pgdata=\(draft)"], folder.postgresLog,
      as: folder.user)
    guard rename(draft, folder.postgresData) == 0 else { throw FileError("rename", draft) }
  }

  private static func run(
    _ arguments: [String], _ log: String, as user: ServiceUser? = nil, input: String = "/dev/null"
  ) throws {
    let child = try ChildProcess(arguments, as: user, input: input, output: log)
    let ending = child.wait(seconds: 120)
    guard ending != .exited(0) else { return }
    child.signal(SIGKILL)
    throw PrivateServerError.ended(
      arguments[0], ending ?? .signalled(SIGKILL), log: log,
      lines: PrivateServerError.lastLines(of: log))
  }

  /// Debian keeps each major version's programs in a folder of its own; a cluster needs those of
  /// its version.
  private static func programs(for data: String) throws -> String {
    let root = "/usr/lib/postgresql"
    if let text = try? Files.read(data + "/PG_VERSION") {
      let version = String(text.prefix { $0.isNumber })
      let programs = "\(root)/\(version)/bin"
      guard Files.exists(programs + "/postgres") else {
        throw PrivateServerError.newerData(folder: data, version: version)
      }
      return programs
    }
    let newest = Files.names(in: root).compactMap { Int($0) }
      .filter { Files.exists("\(root)/\($0)/bin/postgres") }.max()
    guard let newest else { throw PrivateServerError.missing("PostgreSQL", package: "postgresql") }
    return "\(root)/\(newest)/bin"
  }
}
