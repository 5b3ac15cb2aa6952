import Testing

@testable import SplitstreamServer

/// The published function `ss1`: an SDK must compute what the server computes, for ever.
@Suite struct BucketingTests {
  struct Vector: Sendable, CustomTestStringConvertible {
    let experiment: ULID
    let generation: Int
    let salt: String
    let purpose: String
    let unit: UnitID
    let slot: Int

    var testDescription: String { "\(salt) \(purpose) \(unit.text.prefix(20))" }
  }

  static let vectors: [Vector] = {
    guard let document = try? JSONValue(parsing: Repository.fixture("bucketing_ss1.json")) else {
      return []
    }
    return (document["vectors"]?.elements).map(Array.init)?.compactMap { value in
      guard let experiment = value["experiment"]?.string.flatMap({ ULID($0) }),
        let generation = value["generation"]?.integer, let salt = value["salt"]?.string,
        let purpose = value["purpose"]?.string, let unit = value["unit_id"]?.string,
        let unit = UnitID(unit), let slot = value["slot"]?.integer
      else { return nil }
      return Vector(
        experiment: experiment, generation: generation, salt: salt, purpose: purpose, unit: unit,
        slot: slot)
    } ?? []
  }()

  @Test("every vector of the fixture is read")
  func complete() throws {
    let document = try JSONValue(parsing: Repository.fixture("bucketing_ss1.json"))
    #expect(Self.vectors.count == document["vectors"]?.elements.count)
    #expect(Self.vectors.count > 25)
  }

  @Test("slots", arguments: vectors)
  func slot(vector: Vector) {
    #expect(
      Bucketing.slot(salt: vector.salt, purpose: vector.purpose, unit: vector.unit) == vector.slot)
    guard vector.purpose == "assign" else { return }
    #expect(
      Bucketing.slot(of: vector.unit, in: vector.experiment, generation: vector.generation)
        == vector.slot)
  }

  /// χ² over 100 groups of slots, 99 degrees of freedom: 160 is beyond its 99.99 % quantile.
  @Test("slots are even over units that differ little")
  func even() throws {
    let experiment = try #require(ULID("01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    var counts = [Int](repeating: 0, count: 100)
    let total = 20_000
    for index in 0..<total {
      let unit = try #require(UnitID("user-\(index)"))
      counts[Bucketing.slot(of: unit, in: experiment) / 100] += 1
    }
    let expected = Double(total) / 100
    let chiSquared = counts.reduce(0) { sum, count in
      sum + (Double(count) - expected) * (Double(count) - expected) / expected
    }
    #expect(chiSquared < 160)
  }
}
