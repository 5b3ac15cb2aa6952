import Dispatch
import Glibc
import Logging
import Synchronization

/// A running server: its loops, its jobs, and the order in which they start and stop.
final class Server: Sendable {
  /// The port listened on, also when the kernel chose it.
  let port: Int
  /// The port for HTTPS, where there is one.
  let tlsPort: Int?

  private let identity: TLSIdentity?
  private let log: Logger
  private let listeners: [Listener]
  private let handover = Mutex<LoopConfined<HandoverSocket>?>(nil)
  private let loops: [EventLoop]
  private let services: [LoopConfined<LoopService>]
  private let threads: [LoopThreadHandle]
  private let catalogue: CatalogueRefreshJob
  private let drain: EventDrainJob
  private let analysis: AnalysisJob
  private let housekeeping: HousekeepingJob
  private let schedule: ScheduleJob
  private let erasure: ErasureJob
  private let stopFlag = StopFlag()
  private let unreadySeconds: Int
  private let shutdownSeconds: Int

  /// How long a tick of the analysis waits for events that were accepted before a stop.
  private static let settleSecondsMax = 2.0

  /// Starts everything. When PostgreSQL or Redis is not there yet it answers 503 until they are.
  ///
  /// - Parameter predecessor: whose listening sockets are taken over.
  init(_ configuration: Configuration, after predecessor: Predecessor? = nil, log: Logger) throws {
    let tls = configuration.tls
    let host = configuration.server.host
    // First, for `server.port` may be 0, which takes all that is left.
    let inheritedTLS = tls.port == 0 ? [] : predecessor?.take(host: host, port: tls.port) ?? []
    let inherited = predecessor?.take(host: host, port: configuration.server.port) ?? []
    var configuration = configuration
    // Each socket taken over has a queue of clients, which a loop must serve.
    configuration.server.loops = max(
      configuration.loopCount, inherited.count, inheritedTLS.count)
    guard let pepper = configuration.security.pepper else { throw ServerError.noPepper }
    let postgres = try PostgresAddress(parsing: configuration.postgres.url)
    let redis = try RedisDeployment(configuration.redis)
    let clock = ServerClock()
    let loops = try (0..<configuration.loopCount).map { index throws(EventLoopError) in
      try EventLoop(index: index)
    }
    let listeners = try Listener.bind(
      host: host, port: configuration.server.port, count: loops.count, inherited: inherited)
    port = listeners[0].port
    let identity =
      tls.port == 0
      ? nil : try TLSIdentity(certificateFile: tls.certificateFile, keyFile: tls.keyFile)
    let tlsListeners =
      tls.port == 0
      ? []
      : try Listener.bind(
        host: host, port: tls.port, count: loops.count, inherited: inheritedTLS)
    self.listeners = listeners + tlsListeners
    self.identity = identity
    tlsPort = tlsListeners.first?.port
    self.log = log
    unreadySeconds = configuration.server.unreadySeconds
    shutdownSeconds = configuration.server.shutdownSeconds

    // The loops need the jobs, and the catalogue job needs the loops: it finds them here once they
    // are built.
    let holders = LoopHolders()
    let cache = AssignmentCache(bytesMax: configuration.assignments.cacheBytesMax)
    let heartbeat = Heartbeat()
    let catalogue = CatalogueRefreshJob(
      postgres: postgres, clock: clock, assignments: cache, heartbeat: heartbeat, log: log
    ) {
      holders.publish($0)
    }
    let drain = EventDrainJob(
      postgres: postgres, redis: redis, clock: clock,
      leaseSeconds: configuration.events.chunkLeaseSeconds,
      retentionDays: configuration.events.retentionDays, log: log
    ) { holders.shards }
    let analysis = AnalysisJob(
      postgres: postgres, parallelMax: configuration.analysis.parallelMax,
      bringForwardEvents: configuration.analysis.bringForwardEvents, log: log
    ) { shard in drain.isSettled(shard: shard, withinSeconds: Self.settleSecondsMax) }
    let keyUsage = KeyUsage()
    let housekeeping = HousekeepingJob(postgres: postgres, usage: keyUsage, log: log)
    let schedule = ScheduleJob(postgres: postgres, clock: clock, log: log)
    let erasure = ErasureJob(postgres: postgres, log: log)
    let waitSeconds = Double(configuration.analysis.onDemandWaitSeconds)
    let shared = LoopService.Shared(
      configuration: configuration, postgres: postgres, redis: redis, pepper: pepper, clock: clock,
      cache: cache, heartbeat: heartbeat, keyUsage: keyUsage,
      documentation: try Documentation(PackageResources.openapi_json),
      changes: CatalogueChanges {
        await catalogue.apply($0)
        await holders.settle()
      },
      compute: { experiment, shard, peek in
        do {
          try await drain.settle(shard: shard, withinSeconds: waitSeconds)
        } catch StorageError.outcomeUnknown {
          throw APIError.notDrained
        }
        return try await analysis.compute(experiment, peek: peek)
      },
      wakeDrain: { drain.wake() }, stopFlag: stopFlag, log: log)

    let services = loops.indices.map { index in
      LoopConfined(
        LoopService(
          shared, loop: loops[index], listener: listeners[index],
          tls: identity.map { (listener: tlsListeners[index], identity: $0) }),
        to: loops[index])
    }
    holders.set(zip(loops, services).map { LoopHolders.Place(loop: $0, service: $1) })
    do throws(StorageError) {
      try catalogue.start()
    } catch {
      log.warning(
        "PostgreSQL is not there yet; requests are answered 503", metadata: ["error": "\(error)"])
    }
    threads = loops.map { loop in LoopThread.start(name: "loop \(loop.index)") { loop.run() } }
    for (loop, service) in zip(loops, services) {
      // After the catalogue in the loop's inbox: the first request already finds its key.
      loop.submit {
        do throws(EventLoopError) {
          try service.value.start()
        } catch {
          log.critical("cannot listen", metadata: ["error": "\(error)"])
        }
      }
    }
    drain.start(everyMilliseconds: configuration.events.drainIntervalMilliseconds)
    analysis.start(everySeconds: configuration.analysis.tickSeconds)
    housekeeping.start(everySeconds: 10)
    schedule.start(everySeconds: 1)
    erasure.start(everySeconds: 1)
    self.loops = loops
    self.services = services
    self.catalogue = catalogue
    self.drain = drain
    self.analysis = analysis
    self.housekeeping = housekeeping
    self.schedule = schedule
    self.erasure = erasure
  }

  /// Shows the certificate that the files now hold to new connections. Open ones go on as they are.
  func reloadCertificate() {
    guard let identity else { return }
    do throws(TLSError) {
      try identity.reload()
      log.notice("certificate read again", metadata: ["file": "\(identity.certificateFile)"])
    } catch {
      log.error("the certificate stays as it was", metadata: ["error": "\(error)"])
    }
  }

  /// Lets a successor take the listening sockets over.
  ///
  /// - Parameter onRelease: called, on a loop, when the successor serves.
  func offerHandover(at path: String, onRelease: @escaping @Sendable () -> Void) throws {
    let loop = loops[0]
    let socket = LoopConfined(
      try HandoverSocket(path: path, listeners: listeners, loop: loop, onRelease: onRelease),
      to: loop)
    handover.withLock { $0 = socket }
    // Without a descriptor to watch it, the next restart is an ordinary one.
    loop.submit { try? socket.value.start() }
  }

  /// Says that it is not ready, answers what has begun, then stops the jobs and the loops. What was
  /// accepted stays in Redis for the next start.
  func stop() {
    stopFlag.set()
    sleep(UInt32(unreadySeconds))
    if let socket = handover.withLock({ $0 }) { loops[0].submit { socket.value.close() } }
    let group = DispatchGroup()
    for (loop, service) in zip(loops, services) {
      group.enter()
      let seconds = Double(shutdownSeconds)
      loop.submit {
        service.value.stop(withinSeconds: seconds) { group.leave() }
      }
    }
    group.wait()
    analysis.stop()
    housekeeping.stop()
    schedule.stop()
    erasure.stop()
    drain.stop()
    catalogue.stop()
    for loop in loops { loop.stop() }
    for thread in threads { thread.join() }
  }
}

enum ServerError: Error, CustomStringConvertible {
  case noPepper

  var description: String { "security.pepper or security.pepper_file is needed" }
}
