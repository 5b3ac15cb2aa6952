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
  private lazy var batcher = TurnBatcher<[AssignmentWish], Outcomes>(
    loop: loop, weightMax: 256, sendsMax: database.connectionCount, weight: \.count
  ) { [unowned self] requests in
    await decide(requests)
  }

  private struct Key: Hashable {
    let experiment: ULID
    let unit: UnitID
  }

  /// A wish, or several equal ones, that the database has not answered yet.
  private struct OpenWish {
    var wish: AssignmentWish
    let place: AssignmentCache.Place
    /// Of the row that this would be; another when the row was vacated.
    var generation = 1
    var answer: Answer?

    init(_ wish: AssignmentWish, place: AssignmentCache.Place) {
      self.wish = wish
      self.place = place
    }

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
  private func remembered(_ wishes: [AssignmentWish]) -> Outcomes? {
    let known = wishes.compactMap { remembered($0.unit, in: $0.experiment) }
    return known.count == wishes.count ? known.map(AssignmentOutcome.assigned)[...] : nil
  }

  /// One for each wish, in the order of the wishes.
  typealias Outcomes = ArraySlice<AssignmentOutcome>

  /// The assignments that are wished, made now where there are none; stored, with their exposures,
  /// before `finish` is called. One round trip for all of them.
  func assign(
    _ wishes: [AssignmentWish], then finish: @escaping (Result<Outcomes, StorageError>) -> Void
  ) {
    assign(wishes, asksAgain: true, then: finish)
  }

  private func assign(
    _ wishes: [AssignmentWish], asksAgain: Bool,
    then finish: @escaping (Result<Outcomes, StorageError>) -> Void
  ) {
    batcher.submit(wishes) { [self] result in
      guard case .failure(let error) = result, error.isPassing, let known = remembered(wishes)
      else { return finish(result) }
      // A connection that nobody has asked seems to answer. It is asked, too, before memory counts.
      if asksAgain && database.isAnswering { return assign(wishes, asksAgain: false, then: finish) }
      finish(.success(known))
    }
  }

  /// Forgets what a change has made of the row; to be called after its commit.
  func forget(_ unit: UnitID, in experiment: ULID) {
    cache.remove(unit, in: experiment)
  }

  // MARK: A batch

  private func decide(_ requests: [[AssignmentWish]]) async -> [Result<Outcomes, StorageError>] {
    do {
      var rest = try await decideTogether(requests.flatMap(\.self))[...]
      return requests.map { wishes in
        defer { rest = rest.dropFirst(wishes.count) }
        return .success(Outcomes(rest.prefix(wishes.count)))
      }
    } catch {
      // A row that the database refuses must fail alone. When the database is away they all fail
      // the same way.
      guard case .failed = error, requests.count > 1 else {
        return requests.map { _ in .failure(error) }
      }
      var results: [Result<Outcomes, StorageError>] = []
      for request in requests {
        do throws(StorageError) {
          results.append(.success(try await decideTogether(request)[...]))
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
    var (open, places) = gather(wishes)
    // What somebody else stored or vacated at the same moment is seen by the next statement; but
    // not for ever.
    for round in 0..<8 {
      let asked = open.indices.filter { open[$0].answer == nil }
      if asked.isEmpty { break }
      let answers = try await ask(asked.map { open[$0] })
      for (place, answer) in zip(asked, answers) {
        guard let answer else { continue }
        if answer.verdict == .row && answer.assignment == nil {
          open[place].generation = answer.generation
          continue
        }
        open[place].answer = answer
        guard let assignment = answer.assignment else { continue }
        cache.insert(assignment, at: open[place].place)
        if round > 0 && assignment.reason == .forced {
          try await releaseClaim(of: open[place].wish)
        }
      }
    }
    var outcomes: [AssignmentOutcome] = []
    outcomes.reserveCapacity(wishes.count)
    for (index, wish) in wishes.enumerated() {
      guard let answer = open[places[index]].answer else {
        throw StorageError.unavailable(
          .postgres, "a unit's row changed as often as it was asked for")
      }
      outcomes.append(
        answer.assignment.map(AssignmentOutcome.assigned)
          ?? (answer.verdict == .heldOut ? .heldOut : .excluded(wish.exclusion ?? .paused)))
    }
    return outcomes
  }

  /// The wishes in the order in which every process takes the rows, so that two that want the same
  /// units wait for each other instead of dying; equal ones as one. And where among them each wish
  /// is.
  private func gather(_ wishes: [AssignmentWish]) -> (open: [OpenWish], places: [Int]) {
    var open: [OpenWish] = []
    open.reserveCapacity(wishes.count)
    var places = [Int](repeating: 0, count: wishes.count)
    let order = wishes.indices.map { RowOrder(wishes[$0], index: $0) }
      .sorted { $0.precedes($1, in: wishes) }
    for (position, row) in order.enumerated() {
      let wish = wishes[row.index]
      if position > 0 && row.isSame(as: order[position - 1], in: wishes) {
        open[open.count - 1].join(wish)
      } else {
        let place = cache.place(for: wish.unit, in: wish.experiment.id, at: loop.now)
        open.append(OpenWish(wish, place: place))
      }
      places[row.index] = open.count - 1
    }
    return (open, places)
  }

  /// Where a wish's row stands among others, as the database sorts them. Words, so that sorting
  /// touches no reference; most units differ in the first sixteen bytes.
  private struct RowOrder {
    let experiment: ULID
    /// The unit's first bytes, with zeros behind a shorter one: no unit has such a byte.
    let start: (high: UInt64, low: UInt64)
    let index: Int

    init(_ wish: AssignmentWish, index: Int) {
      experiment = wish.experiment.id
      self.index = index
      start = wish.unit.bytes.withUnsafeBytes { bytes in
        var words = (high: UInt64(0), low: UInt64(0))
        withUnsafeMutableBytes(of: &words) { words in
          words.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(16)))
        }
        return (UInt64(bigEndian: words.high), UInt64(bigEndian: words.low))
      }
    }

    func precedes(_ other: RowOrder, in wishes: [AssignmentWish]) -> Bool {
      if experiment != other.experiment { return experiment < other.experiment }
      if start.high != other.start.high { return start.high < other.start.high }
      if start.low != other.start.low { return start.low < other.start.low }
      return wishes[index].unit.bytes.lexicographicallyPrecedes(wishes[other.index].unit.bytes)
    }

    func isSame(as other: RowOrder, in wishes: [AssignmentWish]) -> Bool {
      experiment == other.experiment && start == other.start
        && wishes[index].unit == wishes[other.index].unit
    }
  }

  /// One answer for each wish; nil where the database had none this time.
  private func ask(_ wishes: [OpenWish]) async throws(StorageError) -> [Answer?] {
    if wishes.allSatisfy({ $0.generation == 1 && $0.wish.experiment.mutexGroupID == nil }) {
      do throws(StorageError) {
        return try await askFirst(wishes)
      } catch .conflict {
        // Somebody else has stored or vacated one of them at this moment.
      } catch {
        throw error
      }
    }
    let answers = try await database.rows(
      Self.decide,
      [
        .ids(wishes.map(\.wish.experiment.id)), .units(wishes.map(\.wish.unit)),
        .ids(wishes.map { _ in ids.make() }), .ids(wishes.map(\.variantID)),
        .ints(wishes.map(\.generation)),
        .ints(wishes.map(\.wish.experiment.epoch)), .bools(wishes.map(\.wish.logsExposure)),
        .bools(wishes.map { $0.wish.exclusion == nil }),
        .ids(wishes.map(\.wish.experiment.environmentID)),
        .uuids(wishes.map { $0.wish.experiment.mutexGroupID.map(PostgresUUID.init) }),
        .ints(Self.claimRanks(wishes.map(\.wish))),
      ], Self.answer)
    return Self.match(answers, to: wishes)
  }

  private static func match(
    _ answers: [(key: Key, answer: Answer)], to wishes: [OpenWish]
  ) -> [Answer?] {
    let byKey = Dictionary(answers) { first, _ in first }
    return wishes.map { open in
      byKey[Key(experiment: open.wish.experiment.id, unit: open.wish.unit)]
    }
  }

  private func askFirst(_ wishes: [OpenWish]) async throws(StorageError) -> [Answer?] {
    let made = wishes.map { _ in ids.make() }
    let variants = wishes.map(\.variantID)
    let rows = try await database.rows(
      Self.decideFirst,
      [
        .ids(wishes.map(\.wish.experiment.id)), .units(wishes.map(\.wish.unit)),
        .ids(made), .ids(variants),
        .ints(wishes.map(\.wish.experiment.epoch)), .bools(wishes.map(\.wish.logsExposure)),
        .bools(wishes.map { $0.wish.exclusion == nil }),
      ]
    ) { row throws(PostgresError) in
      try row.isNull(0) ? FirstAnswer.storedAt(row.instant(6)) : .other(Self.answer(row))
    }
    var others: [(key: Key, answer: Answer)] = []
    var storedAt: Timestamp?
    for row in rows {
      switch row {
      case .storedAt(let time): storedAt = time
      case .other(let answer): others.append(answer)
      }
    }
    var answers =
      others.isEmpty
      ? [Answer?](repeating: nil, count: wishes.count) : Self.match(others, to: wishes)
    for index in wishes.indices where answers[index] == nil {
      answers[index] = Answer(
        verdict: .row, generation: 1,
        assignment: Assignment(
          id: made[index], variantID: variants[index], reason: .bucketed,
          exposureLoggedAt: wishes[index].wish.logsExposure ? storedAt : nil))
    }
    return answers
  }

  /// A row of `decideFirst`.
  private enum FirstAnswer {
    /// Of all that it stored as wished.
    case storedAt(Timestamp)
    case other((key: Key, answer: Answer))
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

  private static func answer(_ row: Row) throws(PostgresError) -> (key: Key, answer: Answer) {
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
    return (
      key, Answer(verdict: verdict, generation: try row.int(5), assignment: assignment)
    )
  }
}

extension PostgresUUID {
  init(_ id: ULID) { self.init(high: id.high, low: id.low) }
}
