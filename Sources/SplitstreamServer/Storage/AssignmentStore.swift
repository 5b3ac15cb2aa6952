/// What one unit asks of one experiment.
struct AssignmentWish {
  let unit: UnitID
  let experiment: RunningExperiment
  /// Whether a first assignment logs its exposure.
  var logsExposure: Bool
  /// Why the unit may not be assigned now. One that is stored already, or forced, is answered all
  /// the same.
  var exclusion: Exclusion?
}

/// Assigns units for ever: from memory when it can, else by one statement for all that a loop turn
/// asks.
///
/// An assignment is decided by the database: whoever inserts the row first has decided, and
/// everybody answers that row. Its exposure is written by the same statement. Loop-owned.
final class AssignmentStore {
  private let database: Database
  private let cache: AssignmentCache
  private let heartbeat: Heartbeat
  private let staleNanosecondsMax: UInt64
  private let ids: IDSource
  private let loop: EventLoop
  /// The wishes of one request stay together: one round trip for all of them.
  private lazy var batcher = TurnBatcher<[AssignmentWish], [AssignmentOutcome]>(
    loop: loop, weightMax: 256, sendsMax: database.connectionCount, weight: \.count
  ) { [unowned self] requests in
    await decide(requests)
  }

  private struct Key: Hashable {
    let experiment: ULID
    let unit: UnitID

    init(_ wish: AssignmentWish) {
      experiment = wish.experiment.id
      unit = wish.unit
    }

    init(experiment: ULID, unit: UnitID) {
      self.experiment = experiment
      self.unit = unit
    }
  }

  /// A wish, or several equal ones, that the database has not answered yet.
  private struct OpenWish {
    var wish: AssignmentWish
    let place: AssignmentCache.Place
    /// Of the row that this would be; another when the row was vacated.
    var generation = 1

    var variantID: ULID { wish.experiment.variant(of: wish.unit, generation: generation).id }

    /// Of several at once, one that may be assigned and exposed speaks for all.
    mutating func join(_ other: AssignmentWish) {
      if other.exclusion == nil { wish.exclusion = nil }
      if other.logsExposure { wish.logsExposure = true }
    }
  }

  /// What the database says of a wish.
  private struct Answer {
    enum Verdict: Int { case row, heldOut, excluded }

    let key: Key
    let verdict: Verdict
    let generation: Int
    /// Nil when there is no row, or a vacated one.
    let assignment: Assignment?
  }

  /// - Parameters:
  ///   - heartbeat: while it is fresh, `cache` is as good as the database.
  ///   - staleSecondsMax: how long after it `cache` is answered from while PostgreSQL is away.
  init(
    database: Database, cache: AssignmentCache, heartbeat: Heartbeat, staleSecondsMax: Int,
    ids: IDSource, loop: EventLoop
  ) {
    self.database = database
    self.cache = cache
    self.heartbeat = heartbeat
    staleNanosecondsMax = UInt64(staleSecondsMax) * 1_000_000_000
    self.ids = ids
    self.loop = loop
  }

  /// The assignment, if this process remembers it and may rely on that.
  func known(_ unit: UnitID, in experiment: RunningExperiment) -> Assignment? {
    let now = loop.now
    if heartbeat.isFresh(at: now) {
      return cache.find(
        unit, in: experiment.id, readAfter: now - min(now, Heartbeat.trustNanoseconds))
    }
    return database.isAnswering ? nil : remembered(unit, in: experiment)
  }

  /// What this process knew when it last heard PostgreSQL, unless that is too long ago.
  private func remembered(_ unit: UnitID, in experiment: RunningExperiment) -> Assignment? {
    guard heartbeat.age(at: loop.now) < staleNanosecondsMax else { return nil }
    return cache.find(unit, in: experiment.id)
  }

  /// The same for all wishes, or nil.
  private func remembered(_ wishes: [AssignmentWish]) -> [AssignmentOutcome]? {
    let known = wishes.compactMap { remembered($0.unit, in: $0.experiment) }
    return known.count == wishes.count ? known.map(AssignmentOutcome.assigned) : nil
  }

  /// The assignment of a unit, made now if it has none; stored, with its exposure, before this
  /// returns.
  func assign(_ wish: AssignmentWish) async throws(StorageError) -> AssignmentOutcome {
    try await assign([wish])[0]
  }

  /// The same for many experiments in one round trip.
  func assign(_ wishes: [AssignmentWish]) async throws(StorageError) -> [AssignmentOutcome] {
    if wishes.isEmpty { return [] }
    do {
      return try await batcher.submit(wishes)
    } catch {
      guard error.isPassing, let known = remembered(wishes) else { throw error }
      if !database.isAnswering { return known }
    }
    // A connection that nobody has asked seems to answer. It is asked, too, before memory counts.
    do {
      return try await batcher.submit(wishes)
    } catch {
      guard error.isPassing, let known = remembered(wishes) else { throw error }
      return known
    }
  }

  /// Forgets what a change has made of the row; to be called after its commit.
  func forget(_ unit: UnitID, in experiment: ULID) {
    cache.remove(unit, in: experiment)
  }

  // MARK: A batch

  private func decide(_ requests: [[AssignmentWish]]) async
    -> [Result<[AssignmentOutcome], StorageError>]
  {
    do {
      let outcomes = try await decideTogether(requests.flatMap(\.self))
      var rest = outcomes[...]
      return requests.map { wishes in
        defer { rest = rest.dropFirst(wishes.count) }
        return .success(Array(rest.prefix(wishes.count)))
      }
    } catch {
      // A row that the database refuses must fail alone. When the database is away they all fail
      // the same way.
      guard case .failed = error, requests.count > 1 else {
        return requests.map { _ in .failure(error) }
      }
      var results: [Result<[AssignmentOutcome], StorageError>] = []
      for request in requests {
        do throws(StorageError) {
          results.append(.success(try await decideTogether(request)))
        } catch {
          results.append(.failure(error))
        }
      }
      return results
    }
  }

  private func decideTogether(_ wishes: [AssignmentWish]) async throws(StorageError)
    -> [AssignmentOutcome]
  {
    var open: [Key: OpenWish] = [:]
    for wish in wishes {
      let place = cache.place(for: wish.unit, in: wish.experiment.id, at: loop.now)
      open[Key(wish), default: OpenWish(wish: wish, place: place)].join(wish)
    }
    var answers: [Key: Answer] = [:]
    // What somebody else stored or vacated at the same moment is seen by the next statement; but
    // not for ever.
    for round in 0..<8 where !open.isEmpty {
      for answer in try await ask(Array(open.values)) {
        guard let asked = open[answer.key] else { continue }
        if answer.verdict == .row && answer.assignment == nil {
          open[answer.key]?.generation = answer.generation
          continue
        }
        open[answer.key] = nil
        answers[answer.key] = answer
        guard let assignment = answer.assignment else { continue }
        cache.insert(assignment, at: asked.place)
        if round > 0 && assignment.reason == .forced { try await releaseClaim(of: asked.wish) }
      }
    }
    var outcomes: [AssignmentOutcome] = []
    for wish in wishes {
      guard let answer = answers[Key(wish)] else {
        throw StorageError.unavailable(
          .postgres, "a unit's row changed as often as it was asked for")
      }
      outcomes.append(
        answer.assignment.map(AssignmentOutcome.assigned)
          ?? (answer.verdict == .heldOut ? .heldOut : .excluded(wish.exclusion ?? .paused)))
    }
    return outcomes
  }

  private func ask(_ wishes: [OpenWish]) async throws(StorageError) -> [Answer] {
    // Every process takes the rows in one order: two that want the same units wait for each other
    // instead of dying.
    let sorted = wishes.sorted { left, right in
      let (a, b) = (left.wish, right.wish)
      return a.experiment.id == b.experiment.id
        ? a.unit.bytes.lexicographicallyPrecedes(b.unit.bytes) : a.experiment.id < b.experiment.id
    }
    if sorted.allSatisfy({ $0.generation == 1 && $0.wish.experiment.mutexGroupID == nil }) {
      do throws(StorageError) {
        return try await askFirst(sorted)
      } catch .conflict {
        // Somebody else has stored or vacated one of them at this moment.
      } catch {
        throw error
      }
    }
    return try await database.rows(
      Self.decide,
      [
        .ids(sorted.map(\.wish.experiment.id)), .units(sorted.map(\.wish.unit)),
        .ids(sorted.map { _ in ids.make() }), .ids(sorted.map(\.variantID)),
        .ints(sorted.map(\.generation)),
        .ints(sorted.map(\.wish.experiment.epoch)), .bools(sorted.map(\.wish.logsExposure)),
        .bools(sorted.map { $0.wish.exclusion == nil }),
        .ids(sorted.map(\.wish.experiment.environmentID)),
        .uuids(sorted.map { $0.wish.experiment.mutexGroupID.map(PostgresUUID.init) }),
        .ints(Self.claimRanks(sorted.map(\.wish))),
      ], Self.answer)
  }

  private func askFirst(_ wishes: [OpenWish]) async throws(StorageError) -> [Answer] {
    try await database.rows(
      Self.decideFirst,
      [
        .ids(wishes.map(\.wish.experiment.id)), .units(wishes.map(\.wish.unit)),
        .ids(wishes.map { _ in ids.make() }), .ids(wishes.map(\.variantID)),
        .ints(wishes.map(\.wish.experiment.epoch)), .bools(wishes.map(\.wish.logsExposure)),
        .bools(wishes.map { $0.wish.exclusion == nil }),
      ], Self.answer)
  }

  /// Each wish's place in the order in which claims are tried; the order has no favourites.
  private static func claimRanks(_ wishes: [AssignmentWish]) -> [Int] {
    let orders = wishes.map { wish in
      wish.experiment.mutexGroupID.map {
        MutexGroup.claimOrder(group: $0, experiment: wish.experiment.id, unit: wish.unit)
      }
    }
    var ranks = [Int](repeating: 0, count: wishes.count)
    let grouped = orders.enumerated().compactMap { index, order in order.map { (index, $0) } }
    for (rank, entry) in grouped.sorted(by: { $0.1 < $1.1 }).enumerated() { ranks[entry.0] = rank }
    return ranks
  }

  /// A first call claims before it learns that the unit has been forced at the same moment; forced
  /// units hold no claim.
  private func releaseClaim(of wish: AssignmentWish) async throws(StorageError) {
    guard let group = wish.experiment.mutexGroupID else { return }
    try await database.execute(
      Self.releaseClaim,
      [
        .id(wish.experiment.id), .text(wish.unit.text), .id(wish.experiment.environmentID),
        .id(group),
      ])
  }

  private static func answer(_ row: Row) throws(PostgresError) -> Answer {
    guard let unit = UnitID(try row.bytes(1)[...]) else { throw .decoding("no unit") }
    let key = Key(experiment: try row.id(0), unit: unit)
    guard let verdict = Answer.Verdict(rawValue: try row.int(7)) else {
      throw .decoding("an unknown verdict")
    }
    var assignment: Assignment?
    if let variant = try row.idOrNil(3) {
      assignment = Assignment(
        id: try row.id(2), variantID: variant, reason: try row.choice(4),
        exposureLoggedAt: try row.instantOrNil(6))
    }
    return Answer(
      key: key, verdict: verdict, generation: try row.int(5), assignment: assignment)
  }
}

extension PostgresUUID {
  init(_ id: ULID) { self.init(high: id.high, low: id.low) }
}
