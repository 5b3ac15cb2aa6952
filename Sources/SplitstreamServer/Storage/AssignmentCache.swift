import Glibc
import Synchronization

/// The assignments that this process has seen lately: the one structure that the loops share.
///
/// An entry is 64 bytes without any String: a keyed 128-bit hash stands for (experiment, unit), so
/// that nobody can choose units that collide. Sets of eight entries are searched in a row. While
/// there is room a stripe with a full set doubles, so that few entries lie close together;
/// afterwards a full set forgets its entries in turn: eviction costs no more than a look-up.
final class AssignmentCache: Sendable {
  private let stripes: [Stripe]

  /// - Parameters:
  ///   - bytesMax: of all entries together; rounded down to whole sets, at least one set a stripe.
  ///   - stripeCount: each has a lock of its own.
  init(bytesMax: Int, stripeCount: Int = 64) {
    let bytesPerSet = MemoryLayout<Entry>.stride * Table.entriesPerSet
    let setsMax = max(1, bytesMax / bytesPerSet / stripeCount)
    stripes = (0..<stripeCount).map { _ in Stripe(setsMax: setsMax) }
  }

  /// - Parameter readAfter: an assignment without an exposure is answered only when it was read
  ///   after this moment: another process may have logged one since, and tells nobody.
  func find(_ unit: UnitID, in experiment: ULID, readAfter: UInt64 = 0) -> Assignment? {
    let key = Self.key(unit, experiment)
    return stripe(key).table.withLock { $0.find(key, readAfter: readAfter) }
  }

  /// Where an assignment will be kept that is about to be read from the database.
  struct Place: Sendable {
    fileprivate let key: Hash128
    fileprivate let removals: UInt64
    fileprivate let readAt: UInt64
  }

  /// To be asked for before the database is: what is read may be outdated before it is inserted.
  func place(for unit: UnitID, in experiment: ULID, at now: UInt64 = Heartbeat.now()) -> Place {
    let key = Self.key(unit, experiment)
    let removals = stripe(key).table.withLock { $0.removals }
    return Place(key: key, removals: removals, readAt: now)
  }

  /// Keeps what was read after `place` was asked for, unless something there was forgotten
  /// meanwhile.
  func insert(_ assignment: Assignment, at place: Place) {
    stripe(place.key).table.withLock { table in
      if table.removals == place.removals {
        table.insert(Entry(place.key, assignment, readAt: place.readAt))
      }
    }
  }

  func remove(_ unit: UnitID, in experiment: ULID) {
    let key = Self.key(unit, experiment)
    stripe(key).table.withLock { $0.remove(key) }
  }

  /// Forgets everything: changes may have gone unheard.
  func removeAll() {
    for stripe in stripes { stripe.table.withLock { $0.removeAll() } }
  }

  private func stripe(_ key: Hash128) -> Stripe {
    stripes[Int(key.high.multipliedFullWidth(by: UInt64(stripes.count)).high)]
  }

  private static func key(_ unit: UnitID, _ experiment: ULID) -> Hash128 {
    SipHash.hash128((experiment.high, experiment.low), unit.bytes)
  }

  private final class Stripe: Sendable {
    let table: Mutex<Table>
    init(setsMax: Int) { table = Mutex(Table(setsMax: setsMax)) }
  }

  fileprivate struct Entry {
    var key: Hash128
    var assignment: (high: UInt64, low: UInt64)
    var variant: (high: UInt64, low: UInt64)
    /// Of the exposure, in microseconds; without one, when the row was read, in monotonic
    /// nanoseconds.
    var time: Int64
    /// 0: empty.
    var state: UInt8

    static let present: UInt8 = 1
    static let forced: UInt8 = 2
    static let exposed: UInt8 = 4

    init(_ key: Hash128, _ assignment: Assignment, readAt: UInt64) {
      self.key = key
      self.assignment = (assignment.id.high, assignment.id.low)
      variant = (assignment.variantID.high, assignment.variantID.low)
      state = Self.present
      if assignment.reason == .forced { state |= Self.forced }
      if let exposedAt = assignment.exposureLoggedAt {
        time = Int64(exposedAt.microseconds)
        state |= Self.exposed
      } else {
        time = Int64(readAt)
      }
    }

    var isEmpty: Bool { state == 0 }
    private var isExposed: Bool { state & Self.exposed != 0 }

    func answer(readAfter: UInt64) -> Assignment? {
      guard isExposed || UInt64(time) >= readAfter else { return nil }
      return Assignment(
        id: ULID(high: assignment.high, low: assignment.low),
        variantID: ULID(high: variant.high, low: variant.low),
        reason: state & Self.forced == 0 ? .bucketed : .forced,
        exposureLoggedAt: isExposed ? Timestamp(microseconds: Int(time)) : nil)
    }
  }

  /// Owns the memory of one stripe. Unsafe because an array would check its bounds and its
  /// uniqueness at each of the few loads that a look-up is.
  private struct Table: ~Copyable {
    static let entriesPerSet = 8

    private var entries: UnsafeMutablePointer<Entry>
    private var sets: Int
    private let setsMax: Int
    private var nextVictim = 0
    /// How often something was forgotten here.
    private(set) var removals: UInt64 = 0

    init(setsMax: Int) {
      self.setsMax = setsMax
      sets = min(setsMax, Self.setsFirst)
      entries = Self.emptyEntries(sets)
    }

    private static let setsFirst = 4

    private static func emptyEntries(_ sets: Int) -> UnsafeMutablePointer<Entry> {
      let bytes = sets * entriesPerSet * MemoryLayout<Entry>.stride
      // An entry is one line of the processor's cache.
      guard let memory = aligned_alloc(64, bytes) else {
        preconditionFailure("no memory for the assignment cache")
      }
      // Zero bytes are an empty entry.
      memset(memory, 0, bytes)
      return memory.bindMemory(to: Entry.self, capacity: sets * entriesPerSet)
    }

    deinit { free(entries) }

    func find(_ key: Hash128, readAfter: UInt64) -> Assignment? {
      let set = set(of: key)
      for index in 0..<Self.entriesPerSet where set[index].key == key && !set[index].isEmpty {
        return set[index].answer(readAfter: readAfter)
      }
      return nil
    }

    mutating func insert(_ entry: Entry) {
      let set = set(of: entry.key)
      var place: Int?
      for index in 0..<Self.entriesPerSet {
        if set[index].key == entry.key && !set[index].isEmpty {
          place = index
          break
        }
        if set[index].isEmpty && place == nil { place = index }
      }
      if place == nil && sets < setsMax {
        grow()
        return insert(entry)
      }
      if place == nil {
        place = nextVictim
        nextVictim = (nextVictim + 1) % Self.entriesPerSet
      }
      set[place ?? 0] = entry
    }

    /// Gives the entries twice as many sets, or as many as there may be.
    private mutating func grow() {
      let (old, oldCount) = (entries, sets * Self.entriesPerSet)
      sets = min(sets * 2, setsMax)
      entries = Self.emptyEntries(sets)
      for index in 0..<oldCount where !old[index].isEmpty { place(old[index]) }
      free(old)
    }

    /// Puts an entry that is not there yet into its set. A set gets the entries of two old ones at
    /// most when the table does not quite double; what has no room then is forgotten.
    private func place(_ entry: Entry) {
      let set = set(of: entry.key)
      for index in 0..<Self.entriesPerSet where set[index].isEmpty {
        set[index] = entry
        return
      }
    }

    mutating func removeAll() {
      removals += 1
      free(entries)
      sets = min(setsMax, Self.setsFirst)
      entries = Self.emptyEntries(sets)
    }

    mutating func remove(_ key: Hash128) {
      removals += 1
      let set = set(of: key)
      for index in 0..<Self.entriesPerSet where set[index].key == key { set[index].state = 0 }
    }

    /// The hash as a fraction of 2⁶⁴, times the number of sets: twice as many sets keep the order,
    /// and need no division.
    private func set(of key: Hash128) -> UnsafeMutablePointer<Entry> {
      entries + Int(key.low.multipliedFullWidth(by: UInt64(sets)).high) * Self.entriesPerSet
    }
  }
}
