/// Reads the catalogue, whole or one changed thing. One thread's at a time.
struct CatalogueReader {
  let session: PostgresSession
  /// Many experiments take several statements, so that none of them takes long.
  var experimentsPerStatement = 1000

  /// The channel that the tables' triggers notify.
  static let channel = "catalogue"

  /// Reads everything but those experiments that `known` has as they are.
  func all(butWhatIsIn known: Catalogue = Catalogue()) throws(StorageError) -> Catalogue {
    do {
      var catalogue = Catalogue()
      // Before the experiments, whose audiences name them.
      try loadSegments(nil, into: &catalogue)
      try loadEnvironments(nil, into: &catalogue)
      try loadKeys(nil, into: &catalogue)
      var changed: [ULID] = []
      let versions = try session.rows(Self.versions, []) { row throws(PostgresError) in
        (id: try row.id(0), version: try row.int(1))
      }
      for entry in versions {
        if let same = known.running(entry.id, version: entry.version, likeIn: catalogue) {
          catalogue.put(same)
        } else {
          changed.append(entry.id)
        }
      }
      try loadExperiments(changed, into: &catalogue)
      return catalogue
    } catch {
      throw StorageError(error)
    }
  }

  /// Brings what has changed up to date, or changes nothing; what is read follows the changes, not
  /// the catalogue.
  func apply(_ changes: Set<CatalogueChange>, to catalogue: inout Catalogue) throws(StorageError) {
    var changed = catalogue
    var experiments: [ULID] = []
    do {
      for change in changes {
        switch change {
        case .environment(let id):
          changed.removeEnvironment(id)
          try loadEnvironments(id, into: &changed)
        case .key(let id):
          changed.removeKey(id)
          try loadKeys(id, into: &changed)
        case .segment(let id):
          try loadSegments(id, into: &changed)
          experiments += try session.rows(Self.naming, [.id(id)]) { row throws(PostgresError) in
            try row.id(0)
          }
        case .experiment(let id): experiments.append(id)
        }
      }
      for id in experiments { changed.removeExperiment(id) }
      try loadExperiments(experiments, into: &changed)
    } catch {
      throw StorageError(error)
    }
    catalogue = changed
  }

  // MARK: One kind; nil reads all of it.

  private func loadEnvironments(_ id: ULID?, into catalogue: inout Catalogue) throws(PostgresError)
  {
    for row in try session.rows(Self.environments, [.id(id)], TenancyStore.environment) {
      catalogue.put(row)
    }
  }

  private func loadKeys(_ id: ULID?, into catalogue: inout Catalogue) throws(PostgresError) {
    let keys = try session.rows(Self.keys, [.id(id)]) { row throws(PostgresError) in
      (
        key: try TenancyStore.key(row), hash: KeyHash(try row.bytes(9)),
        validUntil: try row.instantOrNil(10)
      )
    }
    for entry in keys {
      guard let hash = entry.hash else { continue }
      catalogue.put(entry.key, hash: hash, validUntil: entry.validUntil)
    }
  }

  private func loadSegments(_ id: ULID?, into catalogue: inout Catalogue) throws(PostgresError) {
    for row in try session.rows(Self.segments, [.id(id)], SegmentStore.segment) {
      catalogue.put(row)
    }
  }

  private func loadExperiments(_ ids: [ULID], into catalogue: inout Catalogue)
    throws(PostgresError)
  {
    var rest = ids[...]
    while !rest.isEmpty {
      let page = Array(rest.prefix(experimentsPerStatement))
      rest = rest.dropFirst(page.count)
      for row in try session.rows(Self.running, [.ids(page)], ExperimentStore.experiment) {
        catalogue.put(row)
      }
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
      "\(ExperimentStore.selection) WHERE e.status = 'running' AND e.id = ANY ($1::uuid[])")

  static let versions = Statement(
    name: "catalogue_versions", sql: "SELECT id, version FROM experiments WHERE status = 'running'")

  static let segments = Statement(
    name: "catalogue_segments",
    sql: "SELECT \(SegmentStore.columns) FROM segments WHERE $1::uuid IS NULL OR id = $1")

  /// The experiments whose audience names a segment.
  static let naming = Statement(
    name: "catalogue_naming",
    sql: """
      SELECT a.experiment_id FROM audience_segments a
      JOIN segments s ON s.workspace_id = a.workspace_id AND s.key = a.segment_key
      WHERE s.id = $1
      """)
}
