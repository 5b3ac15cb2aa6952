/// Reads the catalogue, whole or one changed thing. One thread's at a time.
struct CatalogueReader {
  let session: PostgresSession

  /// The channel that the tables' triggers notify.
  static let channel = "catalogue"

  func all() throws(StorageError) -> Catalogue {
    var catalogue = Catalogue()
    try load(into: &catalogue, environment: nil, key: nil, experiment: nil)
    return catalogue
  }

  /// Brings one thing up to date, or changes nothing; what is read follows the change, not the catalogue.
  func apply(_ change: CatalogueChange, to catalogue: inout Catalogue) throws(StorageError) {
    let nobody = ULID(high: 0, low: 0)
    var changed = catalogue
    switch change {
    case .environment(let id):
      changed.removeEnvironment(id)
      try load(into: &changed, environment: id, key: nobody, experiment: nobody)
    case .key(let id):
      changed.removeKey(id)
      try load(into: &changed, environment: nobody, key: id, experiment: nobody)
    case .experiment(let id):
      changed.removeExperiment(id)
      try load(into: &changed, environment: nobody, key: nobody, experiment: id)
    case .segment(let id):
      try load(segment: id, into: &changed)
    }
    catalogue = changed
  }

  /// Reads what each id names; nil reads all of a kind.
  private func load(
    into catalogue: inout Catalogue, environment: ULID?, key: ULID?, experiment: ULID?
  ) throws(StorageError) {
    do {
      // Before the experiments, whose audiences name them.
      if experiment == nil {
        for row in try session.rows(Self.segments, [.null], SegmentStore.segment) {
          catalogue.put(row)
        }
      }
      for row in try session.rows(Self.environments, [.id(environment)], TenancyStore.environment) {
        catalogue.put(row)
      }
      let keys = try session.rows(Self.keys, [.id(key)]) { row throws(PostgresError) in
        (
          key: try TenancyStore.key(row), hash: KeyHash(try row.bytes(9)),
          validUntil: try row.instantOrNil(10)
        )
      }
      for entry in keys {
        guard let hash = entry.hash else { continue }
        catalogue.put(entry.key, hash: hash, validUntil: entry.validUntil)
      }
      for row in try session.rows(Self.running, [.id(experiment)], ExperimentStore.experiment) {
        catalogue.put(row)
      }
    } catch {
      throw StorageError(error)
    }
  }

  /// Reads a segment and the running experiments that it changes.
  private func load(segment: ULID, into catalogue: inout Catalogue) throws(StorageError) {
    do {
      for row in try session.rows(Self.segments, [.id(segment)], SegmentStore.segment) {
        catalogue.put(row)
      }
      for row in try session.rows(Self.naming, [.id(segment)], ExperimentStore.experiment) {
        catalogue.put(row)
      }
    } catch {
      throw StorageError(error)
    }
  }

  /// PostgreSQL's clock, for `ServerClock`.
  func time() throws(StorageError) -> Timestamp {
    do {
      guard
        let time = try session.rows(
          Self.now, [], { row throws(PostgresError) in try row.instant(0) }
        ).first
      else {
        throw StorageError.failed(.postgres, "no time")
      }
      return time
    } catch let error as PostgresError {
      throw StorageError(error)
    } catch let error as StorageError {
      throw error
    } catch {
      throw .failed(.postgres, "\(error)")
    }
  }

  /// What a notice says: `experiments:<uuid>`. Nil for what this version does not know.
  static func change(_ notice: String) -> CatalogueChange? {
    let parts = notice.split(separator: ":", maxSplits: 1)
    guard parts.count == 2, let id = ULID(uuid: String(parts[1])) else { return nil }
    switch parts[0] {
    case "environments": return .environment(id)
    case "api_keys": return .key(id)
    case "experiments": return .experiment(id)
    case "segments": return .segment(id)
    default: return nil
    }
  }

  static let now = Statement(name: "clock", sql: "SELECT clock_timestamp()")

  static let environments = Statement(
    name: "catalogue_environments",
    sql:
      "SELECT \(TenancyStore.environmentColumns) FROM environments WHERE $1::uuid IS NULL OR id = $1"
  )

  static let keys = Statement(
    name: "catalogue_keys",
    sql: """
      SELECT \(TenancyStore.keyColumns), lookup_hash, NULL::timestamptz FROM api_keys
      WHERE revoked_at IS NULL AND ($1::uuid IS NULL OR id = $1)
      UNION ALL
      SELECT \(TenancyStore.keyColumns), previous_lookup_hash, previous_valid_until FROM api_keys
      WHERE revoked_at IS NULL AND previous_valid_until > now() AND ($1::uuid IS NULL OR id = $1)
      """)

  static let running = Statement(
    name: "catalogue_running",
    sql:
      "\(ExperimentStore.selection) WHERE e.status = 'running' AND ($1::uuid IS NULL OR e.id = $1)")

  static let segments = Statement(
    name: "catalogue_segments",
    sql: "SELECT \(SegmentStore.columns) FROM segments WHERE $1::uuid IS NULL OR id = $1")

  /// The running experiments whose audience names a segment.
  static let naming = Statement(
    name: "catalogue_naming",
    sql: """
      \(ExperimentStore.selection)
      WHERE e.status = 'running' AND e.id IN (
        SELECT a.experiment_id FROM audience_segments a
        JOIN segments s ON s.workspace_id = a.workspace_id AND s.key = a.segment_key
        WHERE s.id = $1)
      """)
}
