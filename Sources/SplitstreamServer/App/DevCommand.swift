import ArgumentParser
import Dispatch
import Logging

/// `splitstream-server dev`: the product on one machine with nothing set up.
struct DevCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dev",
    abstract: "Try everything at once: private PostgreSQL and Redis, a demo workspace, keys.",
    discussion: """
      The stores are real and durable; they listen on sockets in the data folder only. The next start finds its data \
      and keys again. Settings of a configuration file or SPLITSTREAM_… variables hold here too, but for the stores.
      """)

  @OptionGroup var configuration: ConfigurationOption

  @Option(help: "Port to listen on; 0 takes a free one.")
  var port: Int?

  @Option(help: ArgumentHelp("Folder for data, keys and logs.", valueName: "dir"))
  var data = ".splitstream"

  @Flag(help: "Serve HTTPS too, with a certificate of its own making in the data folder.")
  var tls = false

  @Option(help: "Port for HTTPS.")
  var tlsPort = 8443

  func validate() throws {
    if let port, !(0...65_535).contains(port) {
      throw ValidationError("--port must be from 0 to 65535")
    }
    guard (1...65_535).contains(tlsPort) else {
      throw ValidationError("--tls-port must be from 1 to 65535")
    }
  }

  func run() throws {
    var settings = try configuration.load(needs: [])
    JSONLineLogHandler.install(level: settings.logLevel)
    let log = Logger(label: "splitstream")
    // Before the first thread and the first child: Ctrl-C must find us able to stop what we
    // started.
    StopSignals.block()
    MemoryArenas.limit(loops: settings.loopCount)

    let folder = try DataFolder(data)
    say("data in \(folder.path)")
    let stores = try PrivateServers(in: folder) { say($0) }
    defer { stores.stop() }
    settings.postgres.url = stores.databaseURL
    settings.redis.url = stores.redisURL
    if let port { settings.server.port = port }
    if tls {
      settings.tls.port = tlsPort
      if settings.tls.certificateFile.isEmpty {
        (settings.tls.certificateFile, settings.tls.keyFile) = try DevCertificate.files(
          in: folder.path)
      }
    }
    let pepper = try settings.security.pepper ?? folder.pepper()
    settings.security.pepper = pepper
    _ = try SchemaCheck.migrate(settings)
    var environment = try DemoWorkspace.prepare(
      settings, pepper: pepper, known: try .read(from: folder.environmentFile))

    let server = try Server(settings, log: log)
    environment.url = "http://\(settings.server.host):\(server.port)"
    try environment.write(to: folder.environmentFile)
    say(Self.welcome(environment, file: folder.environmentFile))
    if let tlsPort = server.tlsPort {
      say(Self.welcome(tlsPort: tlsPort, certificate: settings.tls.certificateFile))
    }
    let revival = revive(stores, log)
    _ = StopSignals.wait()
    say("stopping; once more to end at once")
    StopSignals.release()
    revival.cancel()
    server.stop()
  }

  /// A store that ended by itself is started again; the server finds it by itself.
  private func revive(_ stores: PrivateServers, _ log: Logger) -> any DispatchSourceTimer {
    let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "store revival"))
    timer.schedule(deadline: .now() + 1, repeating: 1)
    timer.setEventHandler {
      do {
        for name in try stores.reviveDead() {
          log.warning("\(name) had ended and was started again")
        }
      } catch {
        log.error("a store could not be started again", metadata: ["error": "\(error)"])
      }
    }
    timer.resume()
    return timer
  }

  private func say(_ line: String) {
    StandardError.write([UInt8]((line + "\n").utf8))
  }

  private static func welcome(_ environment: DevEnvironment, file: String) -> String {
    """

    Splitstream \(Version.current) serves at \(environment.url)

      server key  \(environment.serverKey)
      client key  \(environment.clientKey)
      both, and the stores' addresses, are in \(file)

    Try it:

      curl -s \(environment.url)/v1/environments -H 'Authorization: Bearer \(environment.serverKey)'

    Ctrl-C stops the server and its stores.

    """
  }

  private static func welcome(tlsPort: Int, certificate: String) -> String {
    """
    HTTPS too, at https://localhost:\(tlsPort), for who trusts its certificate:

      curl -s --cacert \(certificate) https://localhost:\(tlsPort)/v1/healthz

    """
  }
}
