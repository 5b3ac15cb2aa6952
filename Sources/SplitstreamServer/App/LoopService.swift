import Logging

/// What one event loop owns: its connections to the stores, its handlers, its HTTP server.
///
/// Built before the loop's thread runs, and used by that thread only from then on.
final class LoopService {
  /// For HTTP, and for HTTPS where there is a port for it.
  private let servers: [HTTPServer]
  let catalogue: CatalogueHolder
  private let pipelines: [PostgresPipeline]
  private let redis: [any RedisLoopClient]

  /// What the loops of a process have in common.
  struct Shared: Sendable {
    let configuration: Configuration
    let postgres: PostgresAddress
    let redis: RedisDeployment
    let pepper: Pepper
    let clock: ServerClock
    let cache: AssignmentCache
    let heartbeat: Heartbeat
    let keyUsage: KeyUsage
    let documentation: Documentation
    let changes: CatalogueChanges
    let compute: ComputeSnapshotHandler.Compute
    let wakeDrain: @Sendable () -> Void
    let stopFlag: StopFlag
    let clientUse = ClientUse()
    let log: Logger
  }

  init(
    _ shared: Shared, loop: EventLoop, listener: Listener,
    tls: (listener: Listener, identity: TLSIdentity)? = nil
  ) {
    let configuration = shared.configuration
    let log = shared.log
    pipelines = (0..<configuration.postgres.connectionsPerLoop).map { _ in
      PostgresPipeline(
        to: shared.postgres, applicationName: "splitstream loop \(loop.index)",
        timeoutSeconds: Double(configuration.postgres.timeoutSeconds), on: loop)
    }
    redis = (0..<EventBuffer.connectionCount).map { _ in
      shared.redis.client(
        scripts: [EventBuffer.accept],
        timeoutSeconds: Double(configuration.redis.timeoutSeconds), on: loop)
    }
    catalogue = CatalogueHolder()
    let database = Database(pipelines)
    let ready = ReadyHandler { [pipelines, redis, catalogue] in
      var gaps: [ReadyHandler.Gap] = []
      if !pipelines.allSatisfy(\.isAnswering) || !shared.heartbeat.isHeard(at: loop.now) {
        gaps.append(.postgresql)
      }
      if !redis.allSatisfy(\.isConnected) { gaps.append(.redis) }
      if catalogue.current == nil { gaps.append(.catalogue) }
      if shared.stopFlag.isSet { gaps.append(.stopping) }
      return gaps
    }
    let service = APIService(
      handlers: Self.handlers(shared, database, redis, loop, ready),
      authenticator: Authenticator(
        pepper: shared.pepper, clock: shared.clock, usage: shared.keyUsage),
      idempotency: IdempotencyGuard(
        store: IdempotencyStore(database: database), ids: IDSource(clock: shared.clock)),
      catalogue: catalogue,
      bodyBytesMax: (configuration.limits.bodyBytesMax, configuration.limits.batchBodyBytesMax),
      jsonDepthMax: configuration.limits.jsonDepthMax
    ) { error, request in
      log.error(
        "request failed",
        metadata: [
          "method": "\(request.method.name)",
          "path": "\(String(decoding: request.rawPath, as: UTF8.self))",
          "client": "\(request.origin.address)",
          "error": "\(error)",
        ])
    }
    let entrance = Entrance(
      proxies: TrustedProxies(configuration.proxies.trusted),
      speaksProxyProtocol: configuration.proxies.protocol)
    let notice = { (notice: HTTPServer.Notice) in
      log.warning("accepting connections", metadata: ["notice": "\(notice)"])
    }
    var plainService: any Application = service
    var servers: [HTTPServer] = []
    if let tls {
      var secured = entrance
      secured.tls = tls.identity
      servers.append(
        HTTPServer(
          loop: loop, listener: tls.listener, limits: TransportLimits(configuration),
          application: service, entrance: secured, use: shared.clientUse,
          notice: notice))
      if configuration.tls.redirect {
        plainService = HTTPSRedirect(
          to: tls.listener.port, probes: [Operation.healthz, .readyz].map(\.path), else: service)
      }
    }
    servers.append(
      HTTPServer(
        loop: loop, listener: listener, limits: TransportLimits(configuration),
        application: plainService, entrance: entrance, use: shared.clientUse,
        notice: notice))
    self.servers = servers
    watchStores(shared.redis, log, loop)
  }

  func start() throws(EventLoopError) {
    for server in servers { try server.start() }
  }

  /// Answers what has begun, ends the connections to the stores, and calls `then`.
  func stop(withinSeconds seconds: Double, then: @escaping () -> Void) {
    var remaining = servers.count
    for server in servers {
      server.stop(withinSeconds: seconds) { [self] in
        remaining -= 1
        guard remaining == 0 else { return }
        close()
        then()
      }
    }
  }

  /// After the last request.
  private func close() {
    for pipeline in pipelines { pipeline.close() }
    for client in redis { client.close() }
  }

  private func watchStores(_ deployment: RedisDeployment, _ log: Logger, _ loop: EventLoop) {
    for (index, client) in redis.enumerated() {
      client.watch { redis, event in
        switch event {
        case .disconnected(let error, _):
          log.warning("Redis connection lost", metadata: ["error": "\(error)"])
        case .connected:
          // One asks for all; again with every connection, for it may be another Redis now.
          if loop.index == 0, index == 0 {
            Self.checkDurability(of: redis, deployment, log, loop)
          }
        }
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

  private static func checkDurability(
    of redis: RedisPipeline, _ deployment: RedisDeployment, _ log: Logger, _ loop: EventLoop
  ) {
    let confined = LoopConfined(redis, to: loop)
    Task.immediate(executorPreference: loop) {
      let redis = confined.value
      do {
        var replies: [RedisReply] = []
        for question in RedisDurability.questions {
          replies.append(try await redis.command(question))
        }
        let durability = RedisDurability(replies)
        log.info("Redis connected", metadata: ["durability": "\(durability)"])
        for shortfall in durability.shortfalls(of: deployment) { log.warning("\(shortfall)") }
      } catch {
        log.warning("Redis does not say how durable it is", metadata: ["error": "\(error)"])
      }
    }
  }

  /// Every operation with what answers it.
  private static func handlers(
    _ shared: Shared, _ database: Database, _ redis: [any RedisLoopClient], _ loop: EventLoop,
    _ ready: ReadyHandler
  ) -> [Operation: APIService.Route] {
    let ids = IDSource(clock: shared.clock)
    let tenancy = TenancyStore(database: database)
    let metrics = MetricStore(database: database)
    let segments = SegmentStore(database: database)
    let experiments = ExperimentStore(database: database)
    let snapshots = SnapshotReader(database: database)
    let exposures = ExposureStore(database: database, ids: ids)
    let assignments = AssignmentStore(
      database: database, cache: shared.cache, heartbeat: shared.heartbeat,
      staleSecondsMax: shared.configuration.assignments.staleSecondsMax, ids: ids, loop: loop)
    let unitAssignments = UnitAssignmentStore(database: database)
    let vacancies = VacancyStore(database: database, ids: ids)
    let groups = MutexGroupStore(database: database)
    let buffer = EventBuffer(
      redis: redis, backlogMax: shared.configuration.events.backlogMax,
      confirmsReplays: shared.redis.replicasMin > 0, loop: loop, onMany: shared.wakeDrain)
    let references = ExperimentReferences(metrics: metrics, groups: groups, segments: segments)
    let lifecycle = ExperimentLifecycle(store: experiments, ids: ids, changes: shared.changes)

    func route(_ operation: Operation) -> APIService.Route {
      switch operation {
      case .healthz: .open(HealthHandler(version: Version.current))
      case .readyz: .open(ready)
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
        .keyed(CreateExperimentHandler(store: experiments, references: references, ids: ids))
      case .getExperiment: .keyed(GetExperimentHandler(store: experiments))
      case .updateExperiment:
        .keyed(UpdateExperimentHandler(lifecycle: lifecycle, references: references))
      case .archiveExperiment: .keyed(ArchiveExperimentHandler(lifecycle: lifecycle))
      case .startExperiment: .keyed(StartExperimentHandler(lifecycle: lifecycle))
      case .stopExperiment: .keyed(StopExperimentHandler(lifecycle: lifecycle))
      case .computeSnapshot:
        .keyed(ComputeSnapshotHandler(experiments: experiments, ids: ids, compute: shared.compute))
      case .getResults: .keyed(GetResultsHandler(experiments: experiments, snapshots: snapshots))
      case .getResultsHistory:
        .keyed(GetResultsHistoryHandler(experiments: experiments, snapshots: snapshots))
      case .pauseExperiment: .keyed(PauseExperimentHandler(lifecycle: lifecycle))
      case .resumeExperiment: .keyed(ResumeExperimentHandler(lifecycle: lifecycle))
      case .listAssignments:
        .keyed(ListAssignmentsHandler(experiments: experiments, store: unitAssignments))
      case .putOverride:
        .keyed(
          PutOverrideHandler(
            experiments: experiments, vacancies: vacancies, assignments: assignments, ids: ids))
      case .deleteOverride:
        .keyed(
          DeleteOverrideHandler(
            experiments: experiments, vacancies: vacancies, assignments: assignments, ids: ids))
      case .listMutexGroups: .keyed(ListMutexGroupsHandler(store: groups))
      case .createMutexGroup: .keyed(CreateMutexGroupHandler(store: groups, ids: ids))
      case .getMutexGroup: .keyed(GetMutexGroupHandler(store: groups))
      case .updateMutexGroup: .keyed(UpdateMutexGroupHandler(store: groups, ids: ids))
      case .deleteMutexGroup: .keyed(DeleteMutexGroupHandler(store: groups, ids: ids))
      case .assign: .prompt(AssignHandler(assignments: assignments))
      case .assignBatch: .prompt(AssignBatchHandler(assignments: assignments))
      case .previewAssignment: .keyed(PreviewAssignmentHandler(store: unitAssignments))
      case .getAssignmentsForUnit: .keyed(GetUnitAssignmentsHandler(store: unitAssignments))
      case .forceRebucket:
        .keyed(
          ForceRebucketHandler(
            experiments: experiments, vacancies: vacancies, assignments: assignments, ids: ids))
      case .eraseUnit:
        .keyed(
          EraseUnitHandler(
            store: UnitErasureStore(database: database), assignments: assignments, ids: ids))
      case .logExposure: .keyed(LogExposureHandler(store: exposures, assignments: assignments))
      case .logExposureBatch:
        .keyed(LogExposureBatchHandler(store: exposures, assignments: assignments))
      case .trackEvent: .keyed(TrackEventHandler(buffer: buffer, ids: ids, clock: shared.clock))
      case .trackEventBatch:
        .keyed(TrackEventBatchHandler(buffer: buffer, ids: ids, clock: shared.clock))
      case .calculateSampleSize: .keyed(CalculatorHandler(calculator: .sampleSize))
      case .calculatePower: .keyed(CalculatorHandler(calculator: .power))
      case .calculateEffect: .keyed(CalculatorHandler(calculator: .mde))
      case .calculateDuration: .keyed(CalculatorHandler(calculator: .duration))
      case .calculateSampleRatio: .keyed(CalculatorHandler(calculator: .srm))
      case .calculateSignificance: .keyed(CalculatorHandler(calculator: .significance))
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
      case .getDescription: .open(shared.documentation.description)
      case .getReference: .open(shared.documentation.reference)
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
    request.bodyBytesUnasked = min(
      configuration.limits.bodyBytesMax, configuration.limits.batchBodyBytesMax)
    connectionsMax = configuration.server.connectionsMax
    handshakeSecondsMax = Double(configuration.limits.handshakeSecondsMax)
    connectionsPerAddressMax = configuration.server.connectionsPerAddressMax
    requestsPerConnectionMax = configuration.limits.requestsPerConnectionMax
    // One body of the largest size must fit, or it would be refused for ever.
    bodyBytesInFlightMax = max(
      configuration.limits.bodyBytesInFlightMax, configuration.limits.bodyBytesMax,
      configuration.limits.batchBodyBytesMax)
    outputBytesMax = configuration.limits.replyBytesMax
    bytesPerSecondMin = Double(configuration.limits.bytesPerSecondMin)
    headSecondsMax = Double(configuration.limits.headSecondsMax)
    bodySecondsMax = Double(configuration.limits.bodySecondsMax)
    writeSecondsMax = Double(configuration.limits.writeSecondsMax)
    idleSecondsMax = Double(configuration.limits.idleSecondsMax)
    idleSecondsMaxWhenStopping = Double(configuration.server.idleGraceSeconds)
  }
}

extension RedisDeployment {
  init(_ settings: Configuration.Redis) throws(RedisError) {
    self.init(
      address: try RedisAddress(parsing: settings.url), isCluster: settings.cluster,
      replicasMin: settings.waitReplicas)
  }
}

extension Configuration {
  /// `server.loops`, with one per core in the place of 0.
  var loopCount: Int { server.loops > 0 ? server.loops : ProcessorCount.available }
}
