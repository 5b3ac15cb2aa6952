import Testing

@testable import SplitstreamServer

/// The catalogue as a value: what is put is found, what is replaced or removed is not.
@Suite struct CatalogueTests {
  private let workspace = ULID.new()

  private func environment(_ slug: String, id: ULID = .new(), shard: Int = 1) -> Environment {
    Environment(
      id: id, workspaceID: workspace, slug: slug, name: slug, shard: shard,
      createdAt: ServerClock.processTime())
  }

  private func key(_ id: ULID = .new()) -> APIKey {
    APIKey(
      id: id, workspaceID: workspace, environmentID: nil, kind: .server, name: "", prefix: "",
      lastFour: "", createdAt: ServerClock.processTime(), lastUsedAt: nil)
  }

  @Test("environments by id and slug; a renamed one loses its old slug")
  func environments() {
    var catalogue = Catalogue()
    let (dev, production) = (environment("dev"), environment("production", shard: 2))
    catalogue.put(dev)
    catalogue.put(production)
    #expect(catalogue.environment(slug: "dev", in: workspace) == dev)
    #expect(catalogue.environment(slug: "dev", in: .new()) == nil)
    #expect(catalogue.shards == [1, 2])
    let renamed = environment("staging", id: dev.id)
    catalogue.put(renamed)
    #expect(catalogue.environment(slug: "dev", in: workspace) == nil)
    #expect(catalogue.environment(slug: "staging", in: workspace) == renamed)
    #expect(catalogue.environments(of: workspace).count == 2)
  }

  @Test("keys by their hash, until they are removed")
  func keys() throws {
    var catalogue = Catalogue()
    let pepper = try Pepper(Pepper.random())
    let (first, second) = (key(), key())
    catalogue.put(first, hash: pepper.hash("one"))
    catalogue.put(second, hash: pepper.hash("two"))
    #expect(catalogue.key(pepper.hash("one"), at: ServerClock.processTime()) == first)
    catalogue.removeKey(first.id)
    catalogue.removeKey(first.id)
    #expect(catalogue.key(pepper.hash("one"), at: ServerClock.processTime()) == nil)
    #expect(catalogue.key(pepper.hash("two"), at: ServerClock.processTime()) == second)
  }

  @Test("an experiment is there while it runs")
  func experiments() {
    var catalogue = Catalogue()
    var experiment = Experiment(
      id: .new(), workspaceID: workspace,
      definition: ExperimentDefinition(
        environmentID: .new(), key: "checkout", name: "", hypothesis: "", unitType: .user,
        variants: ["a", "b"].map { Variant(id: .new(), key: $0, weight: 50, isControl: $0 == "a") }),
      status: .draft, version: 1, createdAt: ServerClock.processTime())
    let place = experiment.definition.environmentID
    func found() -> RunningExperiment? {
      catalogue.running(ExperimentKey("checkout"), in: place)
    }
    catalogue.put(experiment)
    #expect(found() == nil)
    experiment.status = .running
    experiment.weightEpoch = WeightEpoch(number: 1, allocation: Allocation(weights: [50, 50]))
    catalogue.put(experiment)
    #expect(found()?.id == experiment.id && found()?.epoch == 1)
    #expect(catalogue.running(ExperimentKey("checkout"), in: .new()) == nil)
    experiment.weightEpoch = WeightEpoch(number: 2, allocation: Allocation(weights: [10, 90]))
    catalogue.put(experiment)
    #expect(found()?.epoch == 2)
    experiment.status = .stopped
    catalogue.put(experiment)
    #expect(found() == nil)
  }

  @Test(
    "what a notice says",
    arguments: [
      ("environments:00000000-0000-0000-0000-000000000001", .environment(ULID(high: 0, low: 1))),
      ("api_keys:00000000-0000-0000-0000-000000000001", .key(ULID(high: 0, low: 1))),
      ("experiments:00000000-0000-0000-0000-000000000001", .experiment(ULID(high: 0, low: 1))),
      ("metrics:00000000-0000-0000-0000-000000000001", nil), ("experiments:", nil), ("", nil),
      ("experiments:x", nil), ("experiments", nil),
    ] as [(String, CatalogueChange?)])
  func notices(text: String, change: CatalogueChange?) {
    #expect(CatalogueReader.change(text) == change)
  }

  @Test("what is known in its present version is not read again; all else is, in any number")
  func onlyChanges() throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let (kept, changed, stopped) = (ExperimentRow(), ExperimentRow(), ExperimentRow())
    for row in [kept, changed, stopped] { try row.insert(in: session) }
    let reader = CatalogueReader(session: session, experimentsPerStatement: 2)
    let before = try reader.all()
    let added = ExperimentRow()
    try added.insert(in: session)
    func execute(_ sql: String, _ id: ULID) throws {
      _ = try session.execute(Statement(name: sql, sql: sql), [.id(id)])
    }
    try execute("UPDATE experiments SET version = version + 1 WHERE id = $1", changed.id)
    try execute("UPDATE experiments SET status = 'stopped' WHERE id = $1", stopped.id)
    let after = try reader.all(butWhatIsIn: before)
    func find(_ row: ExperimentRow, in catalogue: Catalogue) -> RunningExperiment? {
      catalogue.running(ExperimentKey(row.key), in: row.environment)
    }
    #expect(find(kept, in: before) != nil && find(kept, in: before) === find(kept, in: after))
    #expect(find(changed, in: before)?.version == 1 && find(changed, in: after)?.version == 2)
    #expect(find(stopped, in: before) != nil && find(stopped, in: after) == nil)
    #expect(find(added, in: before) == nil && find(added, in: after)?.id == added.id)
    // A segment may be in any audience.
    try execute(
      """
      INSERT INTO segments (id, workspace_id, key, name, audience)
      VALUES ($1, (SELECT min(id::text) FROM workspaces)::uuid, 'adults', '',
        '{"attribute":"age","op":"gte","value":18}')
      """, .new())
    let rewritten = try reader.all(butWhatIsIn: after)
    #expect(find(kept, in: rewritten) !== find(kept, in: after))
  }

  @Test("a change that cannot be read leaves the catalogue as it was")
  func unreadable() throws {
    let session = try StorageTesting.shared().session()
    var catalogue = Catalogue()
    let pepper = try Pepper(Pepper.random())
    let key = key()
    catalogue.put(key, hash: pepper.hash("one"))
    session.close()
    #expect(throws: StorageError.self) {
      try CatalogueReader(session: session).apply([.key(key.id)], to: &catalogue)
    }
    #expect(catalogue.key(pepper.hash("one"), at: ServerClock.processTime()) == key)
    // A key that the database does not have, or no longer in force, is removed.
    let open = try StorageTesting.shared().session()
    try CatalogueReader(session: open).apply([.key(key.id)], to: &catalogue)
    #expect(catalogue.key(pepper.hash("one"), at: ServerClock.processTime()) == nil)
  }
}
