import Synchronization

/// The PostgreSQL and Redis of `dev` and of the tests: started in order, stopped in reverse.
final class PrivateServers: Sendable {
  let folder: DataFolder
  let databaseURL: String
  let redisURL: String
  private let servers: [PrivateServer]
  private let isStopped = Mutex(false)

  /// Starts both and returns when both answer.
  ///
  /// - Parameter report: told in a few words what is being done, for the terminal.
  init(in folder: DataFolder, report: (String) -> Void = { _ in }) throws {
    self.folder = folder
    databaseURL = PrivatePostgres.url(in: folder)
    redisURL = PrivateRedis.url(in: folder)
    if !Files.exists(folder.postgresData) { report("making the database in \(folder.path)") }
    var started: [PrivateServer] = []
    do {
      for plan in [PrivatePostgres.plan, PrivateRedis.plan] {
        let server = PrivateServer(try plan(folder))
        report("starting \(server.plan.name)")
        try server.start()
        started.append(server)
      }
    } catch {
      for server in started.reversed() { server.stop() }
      throw error
    }
    servers = started
  }

  /// Starts again what has ended by itself; for a timer.
  ///
  /// - Returns: the names of those started.
  func reviveDead() throws -> [String] {
    try isStopped.withLock { isStopped in
      guard !isStopped else { return [] }
      let dead = servers.filter { !$0.isRunning }
      for server in dead { try server.start() }
      return dead.map(\.plan.name)
    }
  }

  /// Redis first: it takes what is new. Waits for both.
  func stop() {
    isStopped.withLock { isStopped in
      isStopped = true
      for server in servers.reversed() { server.stop() }
    }
  }

  deinit {
    stop()
  }
}
