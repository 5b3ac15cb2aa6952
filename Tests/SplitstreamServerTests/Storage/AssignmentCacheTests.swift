import Dispatch
import Testing

@testable import SplitstreamServer

/// What the process remembers of assignments: exactly what was put in, in bounded memory, from any
/// thread.
@Suite struct AssignmentCacheTests {
  private let experiment = ULID.new()

  private func assignment(
    _ reason: Assignment.Reason = .bucketed, exposedAt: Timestamp? = Timestamp(microseconds: 1)
  ) -> Assignment {
    Assignment(id: .new(), variantID: .new(), reason: reason, exposureLoggedAt: exposedAt)
  }

  @Test("what is put in is found, with every field")
  func find() throws {
    let cache = AssignmentCache(bytesMax: 1 << 20)
    let unit = try UnitID.named("u")
    #expect(cache.find(unit, in: experiment) == nil)
    let early = Timestamp(microseconds: -1)
    for stored in [
      assignment(), assignment(.forced), assignment(exposedAt: nil), assignment(exposedAt: early),
      assignment(.forced, exposedAt: Timestamp(microseconds: 0)),
    ] {
      cache.insert(stored, at: cache.place(for: unit, in: experiment))
      #expect(cache.find(unit, in: experiment) == stored)
    }
    #expect(cache.find(unit, in: .new()) == nil)
    try #expect(cache.find(.named("u "), in: experiment) == nil)
  }

  @Test("an assignment without an exposure is answered only if it was read late enough")
  func unexposed() throws {
    let cache = AssignmentCache(bytesMax: 1 << 20)
    let unit = try UnitID.named("u")
    let stored = assignment(exposedAt: nil)
    cache.insert(stored, at: cache.place(for: unit, in: experiment, at: 1000))
    #expect(cache.find(unit, in: experiment, readAfter: 1000) == stored)
    #expect(cache.find(unit, in: experiment, readAfter: 1001) == nil)
    #expect(cache.find(unit, in: experiment) == stored)
    let exposed = assignment()
    cache.insert(exposed, at: cache.place(for: unit, in: experiment, at: 1000))
    #expect(cache.find(unit, in: experiment, readAfter: .max) == exposed)
  }

  /// A 64th of a GiB: in 64 stripes, and in one, which then grows by the steps of each of the 64
  /// that a GiB has.
  @Test("a GiB holds five million assignments and more", arguments: [64, 1])
  func capacity(stripeCount: Int) throws {
    let cache = AssignmentCache(bytesMax: 1 << 24, stripeCount: stripeCount)
    let stored = assignment()
    let units = try (0..<100_000).map { try UnitID.named("user-\($0)") }
    // What is in already when the five millionth comes must still be there then.
    for unit in units[..<(5_000_000 / 64)] {
      cache.insert(stored, at: cache.place(for: unit, in: experiment, at: 0))
    }
    let early = units[..<(5_000_000 / 64)].count { cache.find($0, in: experiment) != nil }
    #expect(early >= 5_000_000 / 64 * 999 / 1000)
    for unit in units[(5_000_000 / 64)...] {
      cache.insert(stored, at: cache.place(for: unit, in: experiment, at: 0))
    }
    #expect(units.count { cache.find($0, in: experiment) != nil } >= 5_000_000 / 64)
  }

  @Test("units that a String would fold are kept apart")
  func bytes() throws {
    let cache = AssignmentCache(bytesMax: 1 << 20)
    cache.insert(assignment(), at: cache.place(for: try .named("\u{e9}"), in: experiment))
    try #expect(cache.find(.named("e\u{301}"), in: experiment) == nil)
  }

  @Test("what is removed is forgotten, and nothing else")
  func remove() throws {
    let cache = AssignmentCache(bytesMax: 1 << 20)
    let (kept, removed) = (try UnitID.named("kept"), try UnitID.named("removed"))
    let stored = assignment()
    cache.insert(stored, at: cache.place(for: kept, in: experiment))
    cache.insert(assignment(), at: cache.place(for: removed, in: experiment))
    cache.remove(removed, in: experiment)
    cache.remove(removed, in: experiment)
    #expect(cache.find(removed, in: experiment) == nil)
    #expect(cache.find(kept, in: experiment) == stored)
    cache.insert(stored, at: cache.place(for: removed, in: experiment))
    #expect(cache.find(removed, in: experiment) == stored)
  }

  @Test("a full cache forgets old entries, keeps its bound, and never answers a wrong one")
  func eviction() throws {
    // 64 stripes of 4 sets of 8 entries of 64 bytes.
    let cache = AssignmentCache(bytesMax: 64 * 4 * 8 * 64)
    let stored = try (0..<20_000).map { (try UnitID.named("unit-\($0)"), assignment()) }
    for (unit, assignment) in stored {
      cache.insert(assignment, at: cache.place(for: unit, in: experiment))
      #expect(cache.find(unit, in: experiment) == assignment)
    }
    var known = 0
    for (unit, assignment) in stored {
      guard let found = cache.find(unit, in: experiment) else { continue }
      #expect(found == assignment)
      known += 1
    }
    #expect(known == 64 * 4 * 8)
  }

  @Test("the smallest cache works")
  func smallest() throws {
    let cache = AssignmentCache(bytesMax: 0)
    let (unit, stored) = (try UnitID.named("u"), assignment())
    cache.insert(stored, at: cache.place(for: unit, in: experiment))
    #expect(cache.find(unit, in: experiment) == stored)
  }

  @Test("threads that write, read and remove the same units see whole entries only")
  func threads() throws {
    let cache = AssignmentCache(bytesMax: 1 << 16)
    let units = try (0..<50).map { try UnitID.named("unit-\($0)") }
    // An entry is whole when both of its ids come from one call.
    let experiment = experiment
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      var random = SplitMix64(seed: UInt64(thread))
      for _ in 0..<2000 {
        let unit = units[Int.random(in: 0..<50, using: &random)]
        switch Int.random(in: 0..<4, using: &random) {
        case 0: cache.remove(unit, in: experiment)
        case 1:
          let word = random.next()
          cache.insert(
            Assignment(
              id: ULID(high: word, low: ~word), variantID: ULID(high: ~word, low: word),
              reason: .bucketed, exposureLoggedAt: nil),
            at: cache.place(for: unit, in: experiment))
        default:
          guard let found = cache.find(unit, in: experiment) else { continue }
          #expect(found.id.high == ~found.id.low)
          #expect(found.variantID == ULID(high: found.id.low, low: found.id.high))
        }
      }
    }
  }
}
