/// Every statement that the program sends, in reading order: a test prepares each of them against
/// the schema, and holds that none is missing here.
enum Statements {
  static let all: [Statement] =
    tenancy + metrics + experiments + assigning + events + analysis + catalogue + audit

  private static let tenancy = [
    TenancyStore.readWorkspace, TenancyStore.listEnvironments, TenancyStore.createEnvironment,
    TenancyStore.listKeys, TenancyStore.createKey,
    TenantSetup.findWorkspace, TenantSetup.insertWorkspace, TenantSetup.findKey,
  ]

  private static let metrics = [MetricStore.list, MetricStore.find, MetricStore.create]

  private static let experiments = [
    ExperimentStore.list, ExperimentStore.read, ExperimentStore.create, ExperimentStore.change,
  ]

  private static let assigning = [
    AssignmentStore.insert, AssignmentStore.read, ExposureStore.log,
  ]

  private static let events = [
    EventStore.begin, EventStore.count, EventStore.setAside, EventPartitions.missing,
  ]

  private static let analysis = [
    SnapshotReader.list,
    SnapshotStore.elect, SnapshotStore.resign, SnapshotStore.findDue, SnapshotStore.readLeastP,
    SnapshotStore.recordPeek, SnapshotStore.countPeeks, SnapshotStore.insertSnapshot,
    ResultStore.read, ResultStore.readMetrics, ResultStore.readEpochs, ResultStore.countUnits,
    ResultStore.countConversions,
  ]

  private static let catalogue = [
    CatalogueReader.now, CatalogueReader.environments, CatalogueReader.keys,
    CatalogueReader.running,
  ]

  private static let audit = [AuditStore.list]
}
