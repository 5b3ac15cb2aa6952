import ArgumentParser
import Logging

/// `splitstream-server migrate`: brings the database to this version's schema.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the database to this version's schema.")

  @OptionGroup var configuration: ConfigurationOption

  func run() throws {
    let settings = try configuration.load(needs: [.postgres])
    let applied = try SchemaCheck.migrate(settings)
    for migration in applied { print("applied \(migration.version) \(migration.name)") }
    if applied.isEmpty {
      print("nothing to do: the schema is at \(Schema.migrations.last?.version ?? 0)")
    }
  }
}

/// `splitstream-server check-config`: says what is wrong with a configuration, or what holds.
struct CheckConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-config", abstract: "Check a configuration file without starting anything.")

  @OptionGroup var configuration: ConfigurationOption

  @Flag(help: "Print every key with its default, its bounds and its meaning, as a Markdown table.")
  var keys = false

  func run() throws {
    if keys { return print(ConfigurationKey.markdownTable(), terminator: "") }
    let settings = try configuration.load(needs: [.postgres, .redis, .pepper])
    print("the configuration is good")
    for finding in try Self.findings(settings) { print(finding) }
  }

  /// What the file cannot say: whether the Redis that it names is as durable as it must be.
  static func findings(_ settings: Configuration) throws -> [String] {
    let deployment = try RedisDeployment(settings.redis)
    do throws(RedisError) {
      let session = try RedisSession(
        to: deployment.address, connectSeconds: 2, timeoutSeconds: 2)
      defer { session.close() }
      var replies: [RedisReply] = []
      for question in RedisDurability.questions { replies.append(try session.command(question)) }
      return RedisDurability(replies).shortfalls(of: deployment).map { "warning: \($0)" }
    } catch {
      return ["note: Redis was not asked how durable it is: \(error)"]
    }
  }
}

/// Whether a database has the schema that this program knows.
enum SchemaCheck {
  /// Applies what is missing; the migrations applied now.
  static func migrate(_ settings: Configuration) throws -> [Migration] {
    let session = try open(settings)
    defer { session.close() }
    return try Migrator(session: session).apply(Schema.migrations)
  }

  /// A database that is not there yet is no reason not to start; one with another schema is.
  static func refusePending(_ settings: Configuration, log: Logger) throws {
    let session: PostgresSession
    do {
      session = try open(settings)
    } catch {
      log.warning("the schema could not be checked", metadata: ["error": "\(error)"])
      return
    }
    defer { session.close() }
    let pending = try Migrator(session: session).pending(Schema.migrations)
    guard pending.isEmpty else { throw SchemaPending(count: pending.count) }
  }

  /// Migrations may take longer than requests.
  private static func open(_ settings: Configuration) throws -> PostgresSession {
    try PostgresSession(
      to: try PostgresAddress(parsing: settings.postgres.url),
      applicationName: "splitstream migrate",
      timeoutSeconds: 3600)
  }
}

struct SchemaPending: Error, CustomStringConvertible {
  let count: Int

  var description: String {
    "the database lacks \(count) migration\(count == 1 ? "" : "s"); run: splitstream-server migrate"
  }
}
