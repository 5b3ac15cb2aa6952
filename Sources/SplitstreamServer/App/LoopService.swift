import Logging

/// What one event loop owns: its connections to the stores, its handlers, its HTTP server.
///
/// Built before the loop's thread runs, and used by that thread only from then on.
final class LoopService {
  let http: HTTPServer
  let catalogue: CatalogueHolder
  private let pipelines: [PostgresPipeline]
  private let redis: RedisPipeline

  /// What the loops of a process have in common.
  struct Shared: Sendable {
    let configuration: Configuration
    let postgres: PostgresAddress
    let redis: RedisAddress
    let pepper: Pepper
    let clock: ServerClock
    let cache: AssignmentCache
    let keyUsage: KeyUsage
    let changes: CatalogueChanges
    let compute: ComputeSnapshotHandler.Compute
    let log: Logger
  }

  init(_ shared: Shared, loop: EventLoop, listener: Listener) {
    let configuration = shared.configuration
    let log = shared.log
    pipelines = (0..<configuration.postgres.connectionsPerLoop).map { _ in
      PostgresPipeline(
        to: shared.postgres, applicationName: "splitstream loop \(loop.index)",
        timeoutSeconds: Double(configuration.postgres.timeoutSeconds), on: loop)
    }
    redis = RedisPipeline(
      to: shared.redis, scripts: [EventBuffer.accept],
      timeoutSeconds: Double(configuration.redis.timeoutSeconds),
      on: loop)
    catalogue = CatalogueHolder(Catalogue())
    let database = Database(pipelines)
    let service = APIService(
      handlers: Self.handlers(shared, database, redis, loop),
      authenticator: Authenticator(
        pepper: shared.pepper, clock: shared.clock, usage: shared.keyUsage),
      idempotency: IdempotencyGuard(
        store: IdempotencyStore(database: database), ids: IDSource(clock: shared.clock)),
      catalogue: catalogue,
      bodyBytesMax: (configuration.limits.bodyBytesMax, configuration.limits.batchBodyBytesMax)
    ) { error, request in
      log.error(
        "request failed",
        metadata: [
          "method": "\(request.method.name)",
          "path": "\(String(decoding: request.rawPath, as: UTF8.self))",
          "error": "\(error)",
        ])
    }
    http = HTTPServer(
      loop: loop, listener: listener, limits: TransportLimits(configuration), application: service
    ) { log.warning("accepting connections", metadata: ["notice": "\($0)"]) }
    watchStores(log)
  }

  /// Ends the connections to the stores, after the last request.
  func close() {
    for pipeline in pipelines { pipeline.close() }
    redis.close()
  }

  private func watchStores(_ log: Logger) {
    redis.onEvent = { event in
      if case .disconnected(let error, _) = event {
        log.warning("Redis connection lost", metadata: ["error": "\(error)"])
      }
    }
    for pipeline in pipelines {
      pipeline.onEvent = { event in
        if case .disconnected(let error, _) = event {
          log.warning("PostgreSQL connection lost", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  /// Every operation with what answers it.
  private static func handlers(
    _ shared: Shared, _ database: Database, _ redis: RedisPipeline, _ loop: EventLoop
  ) -> [Operation: APIService.Route] {
    let ids = IDSource(clock: shared.clock)
    let tenancy = TenancyStore(database: database)
    let metrics = MetricStore(database: database)
    let segments = SegmentStore(database: database)
    let experiments = ExperimentStore(database: database)
    let snapshots = SnapshotReader(database: database)
    let exposures = ExposureStore(database: database, ids: ids)
    let assignments = AssignmentStore(database: database, cache: shared.cache, ids: ids, loop: loop)
    let buffer = EventBuffer(
      redis: redis, backlogMax: shared.configuration.events.backlogMax, loop: loop)
    let lifecycle = ExperimentLifecycle(store: experiments, ids: ids, changes: shared.changes)

    func route(_ operation: Operation) -> APIService.Route {
      switch operation {
      case .healthz: .open(HealthHandler(version: Version.current))
      case .getCurrentWorkspace: .keyed(GetWorkspaceHandler(store: tenancy))
      case .listEnvironments: .keyed(ListEnvironmentsHandler(store: tenancy))
      case .createEnvironment:
        .keyed(CreateEnvironmentHandler(store: tenancy, ids: ids, changes: shared.changes))
      case .getEnvironment: .keyed(GetEnvironmentHandler(store: tenancy))
      case .updateEnvironment:
        .keyed(UpdateEnvironmentHandler(store: tenancy, ids: ids, changes: shared.changes))
      case .deleteEnvironment:
        .keyed(DeleteEnvironmentHandler(store: tenancy, ids: ids, changes: shared.changes))
      case .listMetrics: .keyed(ListMetricsHandler(store: metrics))
      case .createMetric: .keyed(CreateMetricHandler(store: metrics, ids: ids))
      case .getMetric: .keyed(GetMetricHandler(store: metrics))
      case .updateMetric: .keyed(UpdateMetricHandler(store: metrics, ids: ids))
      case .deleteMetric: .keyed(DeleteMetricHandler(store: metrics, ids: ids))
      case .listSegments: .keyed(ListSegmentsHandler(store: segments))
      case .createSegment:
        .keyed(CreateSegmentHandler(store: segments, ids: ids, changes: shared.changes))
      case .getSegment: .keyed(GetSegmentHandler(store: segments))
      case .updateSegment:
        .keyed(UpdateSegmentHandler(store: segments, ids: ids, changes: shared.changes))
      case .deleteSegment: .keyed(DeleteSegmentHandler(store: segments, ids: ids))
      case .listExperiments: .keyed(ListExperimentsHandler(store: experiments))
      case .createExperiment:
        .keyed(
          CreateExperimentHandler(
            store: experiments, metrics: metrics, segments: segments, ids: ids))
      case .getExperiment: .keyed(GetExperimentHandler(store: experiments))
      case .updateExperiment:
        .keyed(UpdateExperimentHandler(lifecycle: lifecycle, metrics: metrics, segments: segments))
      case .archiveExperiment: .keyed(ArchiveExperimentHandler(lifecycle: lifecycle))
      case .startExperiment: .keyed(StartExperimentHandler(lifecycle: lifecycle))
      case .stopExperiment: .keyed(StopExperimentHandler(lifecycle: lifecycle))
      case .computeSnapshot:
        .keyed(ComputeSnapshotHandler(experiments: experiments, ids: ids, compute: shared.compute))
      case .getResults: .keyed(GetResultsHandler(experiments: experiments, snapshots: snapshots))
      case .getResultsHistory:
        .keyed(GetResultsHistoryHandler(experiments: experiments, snapshots: snapshots))
      case .assign: .keyed(AssignHandler(assignments: assignments))
      case .logExposure: .keyed(LogExposureHandler(store: exposures, assignments: assignments))
      case .logExposureBatch:
        .keyed(LogExposureBatchHandler(store: exposures, assignments: assignments))
      case .trackEvent: .keyed(TrackEventHandler(buffer: buffer, ids: ids, clock: shared.clock))
      case .trackEventBatch:
        .keyed(TrackEventBatchHandler(buffer: buffer, ids: ids, clock: shared.clock))
      case .listApiKeys: .keyed(ListKeysHandler(store: tenancy))
      case .createApiKey:
        .keyed(
          CreateKeyHandler(store: tenancy, ids: ids, pepper: shared.pepper, changes: shared.changes)
        )
      case .revokeApiKey:
        .keyed(RevokeKeyHandler(store: tenancy, ids: ids, changes: shared.changes))
      case .rotateApiKey:
        .keyed(
          RotateKeyHandler(store: tenancy, ids: ids, pepper: shared.pepper, changes: shared.changes)
        )
      case .listAudit: .keyed(ListAuditHandler(store: AuditStore(database: database)))
      }
    }
    return Dictionary(uniqueKeysWithValues: Operation.allCases.map { ($0, route($0)) })
  }
}

extension TransportLimits {
  init(_ configuration: Configuration) {
    self.init()
    request.requestLineBytesMax = configuration.limits.requestLineBytesMax
    request.headBytesMax = configuration.limits.headBytesMax
    request.fieldCountMax = configuration.limits.headerCountMax
    connectionsMax = max(1, configuration.server.connectionsMax / configuration.loopCount)
    headSecondsMax = Double(configuration.limits.headSecondsMax)
    bodySecondsMax = Double(configuration.limits.bodySecondsMax)
    writeSecondsMax = Double(configuration.limits.writeSecondsMax)
    idleSecondsMax = Double(configuration.limits.idleSecondsMax)
  }
}

extension Configuration {
  /// `server.loops`, with one per core in the place of 0.
  var loopCount: Int { server.loops > 0 ? server.loops : ProcessorCount.available }
}
