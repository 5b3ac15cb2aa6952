/// Every statement that the program sends, in reading order: a test prepares each of them against
/// the schema, and holds that none is missing here.
enum Statements {
  static let all: [Statement] =
    tenancy + metrics + experiments + assigning + events + analysis + catalogue + audit
    + idempotency

  private static let tenancy = [
    TenancyStore.readWorkspace, TenancyStore.listEnvironments, TenancyStore.createEnvironment,
    TenancyStore.readEnvironment, TenancyStore.changeEnvironment, TenancyStore.deleteEnvironment,
    TenancyStore.listKeys, TenancyStore.createKey, TenancyStore.readKey, TenancyStore.revokeKey,
    TenancyStore.rotateKey, KeyUsageStore.update,
    TenantSetup.findWorkspace, TenantSetup.insertWorkspace, TenantSetup.findKey,
  ]

  private static let metrics = [
    MetricStore.list, MetricStore.read, MetricStore.find, MetricStore.create, MetricStore.change,
    MetricStore.delete,
  ]

  private static let experiments = [
    ExperimentStore.list, ExperimentStore.read, ExperimentStore.named, ExperimentStore.create,
    ExperimentStore.change,
    ExperimentSchedule.elect, ExperimentSchedule.resign, ExperimentSchedule.due,
    MutexGroupStore.list, MutexGroupStore.read, MutexGroupStore.create, MutexGroupStore.change,
    MutexGroupStore.lock, MutexGroupStore.forget, MutexGroupStore.delete,
    SegmentStore.list, SegmentStore.read, SegmentStore.find, SegmentStore.create,
    SegmentStore.change, SegmentStore.delete,
  ]

  private static let assigning = [
    AssignmentStore.decideFirst, AssignmentStore.decide, AssignmentStore.releaseClaim,
    ExposureStore.log,
    UnitAssignmentStore.ofUnit, UnitAssignmentStore.ofExperiment, UnitAssignmentStore.prospect,
    VacancyStore.lockClaim, VacancyStore.vacate, VacancyStore.force, VacancyStore.unforce,
    VacancyStore.finish, VacancyStore.readOverride,
  ]

  private static let events = [
    EventStore.begin, EventStore.count, EventStore.counted, EventStore.setAside, EventStore.known,
    DrainHistory.forgetChunks, DrainHistory.forgetErasures,
    EventPartitions.missing, EventPartitions.expired,
    UnitErasureStore.releaseClaims, UnitErasureStore.endOverrides,
    UnitErasureStore.deleteAssignments, UnitErasureStore.deleteExposures, UnitErasureStore.order,
    UnitEraser.after, UnitEraser.pending, UnitEraser.deleteEvents, UnitEraser.readRejected,
    UnitEraser.deleteRejected, UnitEraser.finish, UnitEraser.elect, UnitEraser.resign,
    UnitEraser.share, UnitEraser.lock, UnitEraser.unlock,
  ]

  private static let analysis = [
    SnapshotReader.list,
    SnapshotStore.elect, SnapshotStore.resign, SnapshotStore.findDue, SnapshotStore.readLeastP,
    SnapshotStore.readRunningP,
    SnapshotStore.recordPeek, SnapshotStore.countPeeks, SnapshotStore.insertSnapshot,
    ResultStore.read, ResultStore.readMetrics, ResultStore.readEpochs, ResultStore.readUnits,
    ResultStore.readSums, ResultStore.readConversions,
    UnitStore.lock, UnitStore.unlock, UnitStore.readMarks, UnitStore.findNewestEvent,
    UnitStore.putMark, UnitStore.forget, UnitStore.sweep, UnitStore.sweepChanges,
    UnitStore.countStored, UnitStore.findBehind, UnitStore.findErased, UnitStore.dropChanges,
    UnitStatements.beginSample,
    UnitStatements.bringSample, UnitStatements.beginValues, UnitStatements.bringValues,
  ]

  private static let catalogue = [
    CatalogueReader.now, CatalogueReader.environments, CatalogueReader.keys,
    CatalogueReader.versions, CatalogueReader.running, CatalogueReader.segments,
    CatalogueReader.naming,
  ]

  private static let audit = [AuditStore.list]

  private static let idempotency = [
    IdempotencyStore.claim, IdempotencyStore.read, IdempotencyStore.keep, IdempotencyStore.forget,
    IdempotencyStore.release, IdempotencyStore.expire,
  ]
}
