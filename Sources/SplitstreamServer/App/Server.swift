import Dispatch
import Logging

/// A running server: its loops, its jobs, and the order in which they start and stop.
final class Server: Sendable {
  /// The port listened on, also when the kernel chose it.
  let port: Int

  private let loops: [EventLoop]
  private let services: [LoopConfined<LoopService>]
  private let threads: [LoopThreadHandle]
  private let catalogue: CatalogueRefreshJob
  private let drain: EventDrainJob
  private let analysis: AnalysisJob
  private let housekeeping: HousekeepingJob
  private let schedule: ScheduleJob
  private let shutdownSeconds: Int

  /// Starts everything. When PostgreSQL or Redis is not there yet it answers 503 until they are.
  init(_ configuration: Configuration, log: Logger) throws {
    guard let pepper = configuration.security.pepper else { throw ServerError.noPepper }
    let postgres = try PostgresAddress(parsing: configuration.postgres.url)
    let redis = try RedisAddress(parsing: configuration.redis.url)
    let clock = ServerClock()
    let loops = try (0..<configuration.loopCount).map { index throws(EventLoopError) in
      try EventLoop(index: index)
    }
    let listeners = try Listener.bind(
      host: configuration.server.host, port: configuration.server.port, count: loops.count)
    port = listeners[0].port
    shutdownSeconds = configuration.server.shutdownSeconds

    // The loops need the jobs, and the catalogue job needs the loops: it finds them here once they are built.
    let holders = LoopHolders()
    let catalogue = CatalogueRefreshJob(postgres: postgres, clock: clock, log: log) {
      holders.publish($0)
    }
    let drain = EventDrainJob(
      postgres: postgres, redis: redis, clock: clock,
      leaseSeconds: configuration.events.chunkLeaseSeconds, log: log
    ) { holders.shards }
    let analysis = AnalysisJob(postgres: postgres, log: log)
    let keyUsage = KeyUsage()
    let housekeeping = HousekeepingJob(postgres: postgres, usage: keyUsage, log: log)
    let schedule = ScheduleJob(postgres: postgres, clock: clock, log: log)
    let waitSeconds = Double(configuration.analysis.onDemandWaitSeconds)
    let shared = LoopService.Shared(
      configuration: configuration, postgres: postgres, redis: redis, pepper: pepper, clock: clock,
      cache: AssignmentCache(bytesMax: configuration.assignments.cacheBytesMax),
      keyUsage: keyUsage,
      documentation: try Documentation(PackageResources.openapi_json),
      changes: CatalogueChanges { await catalogue.apply($0) },
      compute: { experiment, shard, peek in
        do {
          try await drain.settle(shard: shard, withinSeconds: waitSeconds)
        } catch StorageError.outcomeUnknown {
          throw APIError.notDrained
        }
        return try await analysis.compute(experiment, peek: peek)
      },
      log: log)

    let services = zip(loops, listeners).map { loop, listener in
      LoopConfined(LoopService(shared, loop: loop, listener: listener), to: loop)
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
          try service.value.http.start()
        } catch {
          log.critical("cannot listen", metadata: ["error": "\(error)"])
        }
      }
    }
    drain.start(everyMilliseconds: configuration.events.drainIntervalMilliseconds)
    analysis.start(everySeconds: configuration.analysis.tickSeconds)
    housekeeping.start(everySeconds: 10)
    schedule.start(everySeconds: 1)
    self.loops = loops
    self.services = services
    self.catalogue = catalogue
    self.drain = drain
    self.analysis = analysis
    self.housekeeping = housekeeping
    self.schedule = schedule
  }

  /// Answers what has begun, then stops the jobs and the loops. What was accepted stays in Redis for the next start.
  func stop() {
    let group = DispatchGroup()
    for (loop, service) in zip(loops, services) {
      group.enter()
      let seconds = Double(shutdownSeconds)
      loop.submit {
        service.value.http.stop(withinSeconds: seconds) {
          service.value.close()
          group.leave()
        }
      }
    }
    group.wait()
    analysis.stop()
    housekeeping.stop()
    schedule.stop()
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
