import Testing

@testable import SplitstreamServer

/// What was re-bucketed is never remembered as it was, whatever is under way at that moment.
@Suite struct AssignmentCacheVacancyTests {
  private let cache = AssignmentCache(bytesMax: 1 << 16)
  private let experiment = ULID.new()
  private let assignment = Assignment(
    id: .new(), variantID: .new(), reason: .bucketed, exposureLoggedAt: nil)

  @Test("what is inserted is found, until it is forgotten")
  func found() throws {
    let unit = try UnitID.named("unit")
    #expect(cache.find(unit, in: experiment) == nil)
    cache.insert(assignment, at: cache.place(for: unit, in: experiment))
    #expect(cache.find(unit, in: experiment) == assignment)
    #expect(cache.find(unit, in: .new()) == nil)
    cache.remove(unit, in: experiment)
    #expect(cache.find(unit, in: experiment) == nil)
  }

  @Test("what was read before it was forgotten is not inserted after")
  func outdated() throws {
    let unit = try UnitID.named("unit")
    let place = cache.place(for: unit, in: experiment)
    cache.remove(unit, in: experiment)
    cache.insert(assignment, at: place)
    #expect(cache.find(unit, in: experiment) == nil)
    let later = cache.place(for: unit, in: experiment)
    cache.removeAll()
    cache.insert(assignment, at: later)
    #expect(cache.find(unit, in: experiment) == nil)
  }

  @Test("everything is forgotten at once when notices may have been lost")
  func all() throws {
    let units = try (0..<100).map { try UnitID.named("unit\($0)") }
    for unit in units { cache.insert(assignment, at: cache.place(for: unit, in: experiment)) }
    #expect(units.contains { cache.find($0, in: experiment) != nil })
    cache.removeAll()
    #expect(units.allSatisfy { cache.find($0, in: experiment) == nil })
  }

  @Test("a notice names an experiment and the unit's bytes")
  func notice() throws {
    let vacancy = try #require(Vacancy(notice: "0189d8f0-0000-4000-8000-000000000001:a:b\u{e9}"))
    #expect(vacancy.experiment == ULID(high: 0x0189_d8f0_0000_4000, low: 0x8000_0000_0000_0001))
    #expect(vacancy.unit.text.utf8.elementsEqual("a:b\u{e9}".utf8))
    for wrong in ["", "x", "x:unit", "0189d8f0-0000-4000-8000-000000000001:"] {
      #expect(Vacancy(notice: wrong) == nil)
    }
  }
}
