import Logging

/// A job's own blocking connection to PostgreSQL, opened when it is needed and again after it
/// broke.
struct SessionHolder {
  private let address: PostgresAddress
  private let applicationName: String
  private let timeoutSeconds: Double
  private var session: PostgresSession?

  /// - Parameter timeoutSeconds: bounds every wait for an answer.
  init(_ address: PostgresAddress, applicationName: String, timeoutSeconds: Double = 30) {
    self.address = address
    self.applicationName = applicationName
    self.timeoutSeconds = timeoutSeconds
  }

  /// The open session.
  mutating func open() throws(StorageError) -> PostgresSession {
    if let session, session.isOpen { return session }
    do {
      let opened = try PostgresSession(
        to: address, applicationName: applicationName, timeoutSeconds: timeoutSeconds)
      session = opened
      return opened
    } catch {
      throw StorageError(error)
    }
  }

  mutating func close() {
    session?.close()
    session = nil
  }
}

/// A job's own blocking connection to Redis.
struct RedisHolder {
  private let deployment: RedisDeployment
  private var caller: (any RedisCaller)?

  init(_ deployment: RedisDeployment) {
    self.deployment = deployment
  }

  mutating func open() throws(StorageError) -> any RedisCaller {
    if let caller, caller.isOpen { return caller }
    do {
      let opened = try deployment.session()
      caller = opened
      return opened
    } catch {
      throw StorageError(error)
    }
  }

  mutating func close() {
    caller?.close()
    caller = nil
  }
}

/// Tells the log of a job's failures: once when they begin and once when they end, not at every
/// tick.
struct FailureLog {
  private let log: Logger
  private var isFailing = false

  init(_ log: Logger) {
    self.log = log
  }

  mutating func failed(_ work: String, _ error: any Error) {
    if !isFailing { log.error("\(work) failed", metadata: ["error": "\(error)"]) }
    isFailing = true
  }

  mutating func succeeded(_ work: String) {
    if isFailing { log.notice("\(work) works again") }
    isFailing = false
  }
}
