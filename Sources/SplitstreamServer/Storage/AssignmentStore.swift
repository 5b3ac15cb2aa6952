/// Assigns units for ever: from memory when it can, else by one statement for all that a loop turn asks.
///
/// An assignment is decided by the database: whoever inserts the row first has decided, and everybody answers that row.
/// Its exposure is written by the same statement. Loop-owned.
final class AssignmentStore {
  private let database: Database
  private let cache: AssignmentCache
  private let ids: IDSource
  private let loop: EventLoop
  private lazy var batcher = TurnBatcher<Wish, Assignment>(loop: loop, weightMax: 256) {
    [unowned self] wishes in
    await store(wishes)
  }

  /// A unit to be assigned to what its hash says, unless the database knows better.
  private struct Wish {
    let unit: UnitID
    let experiment: RunningExperiment
    let logsExposure: Bool
    var generation = 1
  }

  private struct Key: Hashable {
    let experiment: ULID
    let unit: [UInt8]
  }

  /// A row as the database has it; `variantID` nil when it was vacated.
  private struct Stored {
    let key: Key
    let id: ULID
    let variantID: ULID?
    let reason: Assignment.Reason
    let generation: Int
    let exposureLoggedAt: Timestamp?

    var assignment: Assignment? {
      variantID.map {
        Assignment(id: id, variantID: $0, reason: reason, exposureLoggedAt: exposureLoggedAt)
      }
    }
  }

  init(database: Database, cache: AssignmentCache, ids: IDSource, loop: EventLoop) {
    self.database = database
    self.cache = cache
    self.ids = ids
    self.loop = loop
  }

  /// The assignment, if this process remembers it.
  func known(_ unit: UnitID, in experiment: RunningExperiment) -> Assignment? {
    cache.find(unit, in: experiment.id)
  }

  /// The assignment of `unit`, made now if it has none; stored, with its exposure, before this returns.
  func assign(
    _ unit: UnitID, to experiment: RunningExperiment, logsExposure: Bool
  ) async throws(StorageError) -> Assignment {
    try await batcher.submit(Wish(unit: unit, experiment: experiment, logsExposure: logsExposure))
  }

  /// The stored assignment of a unit that somebody else buckets; nil when it has not been reported.
  func stored(_ unit: UnitID, in experiment: RunningExperiment) async throws(StorageError)
    -> Assignment?
  {
    let rows = try await read([Key(experiment: experiment.id, unit: unit.bytes)])
    let assignment = rows.first?.assignment
    if let assignment { cache.insert(assignment, of: unit, in: experiment.id) }
    return assignment
  }

  /// Forgets what an exposure has changed in the row.
  func forget(_ unit: UnitID, in experiment: RunningExperiment) {
    cache.remove(unit, in: experiment.id)
  }

  // MARK: A batch

  private func store(_ wishes: [Wish]) async -> [Result<Assignment, StorageError>] {
    do {
      return try await storeTogether(wishes).map(Result.success)
    } catch {
      // A row that the database refuses must fail alone. When the database is away they all fail the same way.
      guard case .failed = error, wishes.count > 1 else {
        return wishes.map { _ in .failure(error) }
      }
      var results: [Result<Assignment, StorageError>] = []
      for wish in wishes {
        do {
          results.append(.success(try await storeTogether([wish])[0]))
        } catch {
          results.append(.failure(error))
        }
      }
      return results
    }
  }

  private func storeTogether(_ wishes: [Wish]) async throws(StorageError) -> [Assignment] {
    var open: [Key: Wish] = [:]
    for wish in wishes {
      let key = Key(experiment: wish.experiment.id, unit: wish.unit.bytes)
      if open[key]?.logsExposure != true { open[key] = wish }
    }
    var assignments: [Key: Assignment] = [:]
    func settle(_ row: Stored) {
      assignments[row.key] = row.assignment
      if row.variantID == nil {
        open[row.key]?.generation = row.generation
      } else {
        open[row.key] = nil
      }
    }
    // A vacated row asks for another hash; it can be vacated again meanwhile, but not for ever.
    for _ in 0..<8 where !open.isEmpty {
      for row in try await insert(Array(open.values)) { settle(row) }
      if open.isEmpty { break }
      // Somebody else's rows. A statement of its own: the one that lost does not see the winner.
      for row in try await read(Array(open.keys)) { settle(row) }
    }
    var answers: [Assignment] = []
    for wish in wishes {
      guard let assignment = assignments[Key(experiment: wish.experiment.id, unit: wish.unit.bytes)]
      else {
        throw StorageError.failed(.postgres, "an assignment was vacated as often as it was made")
      }
      cache.insert(assignment, of: wish.unit, in: wish.experiment.id)
      answers.append(assignment)
    }
    return answers
  }

  private func insert(_ wishes: [Wish]) async throws(StorageError) -> [Stored] {
    // Every process takes the rows in one order: two that want the same units wait for each other instead of dying.
    let sorted = wishes.sorted {
      $0.experiment.id == $1.experiment.id
        ? $0.unit.bytes.lexicographicallyPrecedes($1.unit.bytes)
        : $0.experiment.id < $1.experiment.id
    }
    let variants = sorted.map { wish in
      let slot = Bucketing.slot(of: wish.unit, in: wish.experiment.id, generation: wish.generation)
      return wish.experiment.variants[wish.experiment.allocation.owner(of: slot)].id
    }
    return try await database.rows(
      Self.insert,
      [
        .ids(sorted.map(\.experiment.id)), .units(sorted.map(\.unit)),
        .ids(sorted.map { _ in ids.make() }),
        .ids(variants), .ints(sorted.map(\.generation)), .ints(sorted.map(\.experiment.epoch)),
        .bools(sorted.map(\.logsExposure)),
      ], Self.stored)
  }

  private func read(_ keys: [Key]) async throws(StorageError) -> [Stored] {
    try await database.rows(
      Self.read,
      [
        .ids(keys.map(\.experiment)), .texts(keys.map { String(decoding: $0.unit, as: UTF8.self) }),
      ], Self.stored)
  }

  private static func stored(_ row: Row) throws(PostgresError) -> Stored {
    Stored(
      key: Key(experiment: try row.id(0), unit: try row.bytes(1)), id: try row.id(2),
      variantID: try row.idOrNil(3), reason: try row.choice(4), generation: try row.int(5),
      exposureLoggedAt: try row.instantOrNil(6))
  }

  private static let columns =
    "experiment_id, unit_id, assignment_id, variant_id, reason, generation, exposure_logged_at"

  static let insert = Statement(
    name: "assignment_insert",
    sql: """
      WITH stored AS (
        INSERT INTO assignments AS a
          (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch, exposure_logged_at)
        SELECT experiment_id, unit_id, assignment_id, variant_id, 'bucketed', generation, epoch,
          CASE WHEN exposes THEN now() END
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::boolean[])
          AS wish (experiment_id, unit_id, assignment_id, variant_id, generation, epoch, exposes)
        ON CONFLICT (experiment_id, unit_id) DO UPDATE SET
          assignment_id = excluded.assignment_id, variant_id = excluded.variant_id, reason = excluded.reason,
          epoch = excluded.epoch, assigned_at = now(), exposure_logged_at = excluded.exposure_logged_at
        WHERE a.variant_id IS NULL AND a.generation = excluded.generation
        RETURNING \(columns)),
      exposed AS (
        INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id)
        SELECT assignment_id, experiment_id, unit_id, generation, variant_id
        FROM stored WHERE exposure_logged_at IS NOT NULL
        ON CONFLICT DO NOTHING)
      SELECT \(columns) FROM stored
      """)

  static let read = Statement(
    name: "assignment_read",
    sql: """
      SELECT \(columns)
      FROM unnest($1::uuid[], $2::text[]) AS wanted (experiment_id, unit_id)
      JOIN assignments USING (experiment_id, unit_id)
      """)
}
