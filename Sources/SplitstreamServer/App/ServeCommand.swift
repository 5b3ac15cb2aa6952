import ArgumentParser
import Glibc
import Logging

/// `splitstream-server --config FILE`: serves with the PostgreSQL and Redis that the file names.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve with the PostgreSQL and Redis of a configuration file (the default).")

  @OptionGroup var configuration: ConfigurationOption

  func run() throws {
    let settings = try configuration.load(needs: [.postgres, .redis, .pepper])
    JSONLineLogHandler.install(level: settings.logLevel)
    let log = Logger(label: "splitstream")
    StopSignals.block()
    MemoryArenas.limit(loops: settings.loopCount)
    try SchemaCheck.refusePending(settings, log: log)
    let path = settings.server.handoverSocket
    let predecessor = path.isEmpty ? nil : try Predecessor(at: path)
    let server = try Server(settings, after: predecessor, log: log)
    if !path.isEmpty {
      try server.offerHandover(at: path) {
        log.notice("a successor serves")
        // To the process: the main thread waits for it.
        kill(getpid(), SIGTERM)
      }
    }
    predecessor?.release()
    log.notice(
      "serving",
      metadata: [
        "host": "\(settings.server.host)", "port": .stringConvertible(server.port),
        "tls_port": .stringConvertible(server.tlsPort ?? 0), "version": "\(Version.current)",
      ])
    let signal = StopSignals.wait(reload: server.reloadCertificate)
    log.notice("stopping", metadata: ["signal": "\(signal)"])
    StopSignals.release()
    server.stop()
    log.notice("stopped")
  }
}

extension Configuration {
  /// `log.level`, which the loader has checked.
  var logLevel: Logger.Level { Logger.Level(rawValue: log.level) ?? .info }
}
