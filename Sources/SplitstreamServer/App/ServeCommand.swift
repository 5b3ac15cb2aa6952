import ArgumentParser
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
    try SchemaCheck.refusePending(settings, log: log)
    let server = try Server(settings, log: log)
    log.notice(
      "serving",
      metadata: [
        "host": "\(settings.server.host)", "port": .stringConvertible(server.port),
        "tls_port": .stringConvertible(server.tlsPort ?? 0), "version": "\(Version.current)",
      ])
    let signal = StopSignals.wait(reload: server.reloadCertificate)
    log.notice("stopping", metadata: ["signal": "\(signal)"])
    server.stop()
    log.notice("stopped")
  }
}

extension Configuration {
  /// `log.level`, which the loader has checked.
  var logLevel: Logger.Level { Logger.Level(rawValue: log.level) ?? .info }
}
