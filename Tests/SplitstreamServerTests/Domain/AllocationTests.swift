import Testing

@testable import SplitstreamServer

/// Who owns which slot, and how few of them a change of weights moves.
@Suite struct AllocationTests {
  @Test("the first allocation is in the order of the variants")
  func first() {
    let allocation = Allocation(weights: [50, 0, 30, 20])
    #expect(allocation.slots == [[0..<5000], [], [5000..<8000], [8000..<10_000]])
    #expect([0, 4999, 5000, 7999, 8000, 9999].map(allocation.owner) == [0, 0, 2, 2, 3, 3])
    #expect(Allocation(weights: [0, 100]).owner(of: 0) == 1)
  }

  /// The published example of a change of weights.
  @Test("the published example")
  func example() {
    let changed = Allocation(weights: [50, 30, 20]).reweighted(to: [34, 33, 33])
    #expect(
      changed.slots == [
        [0..<3400], [3400..<3700, 5000..<8000], [3700..<5000, 8000..<10_000],
      ])
  }

  @Test("equal weights change nothing")
  func same() {
    let allocation = Allocation(weights: [50, 30, 20]).reweighted(to: [20, 30, 50])
    #expect(allocation.reweighted(to: [20, 30, 50]) == allocation)
  }

  @Test("any chain of changes keeps every slot owned once, and moves as few as can be")
  func random() {
    var random = SplitMix64(seed: 3)
    for _ in 0..<30 {
      let variants = Int.random(in: 2...20, using: &random)
      var allocation = Allocation(weights: Self.weights(variants, &random))
      for _ in 0..<4 {
        let weights = Self.weights(variants, &random)
        let changed = allocation.reweighted(to: weights)
        #expect(Self.isComplete(changed))
        let moved = (0..<10_000).count { allocation.owner(of: $0) != changed.owner(of: $0) }
        let least = zip(allocation.weights, weights).reduce(0) { $0 + max(0, $1.0 - $1.1) * 100 }
        #expect(moved == least)
        allocation = changed
      }
    }
  }

  @Test("an allocation is kept and read again, whatever the order of the variants")
  func coding() throws {
    let variants = ["a", "b", "c"].map {
      Variant(id: .new(), key: $0, weight: 0, isControl: false)
    }
    let allocation = Allocation(weights: [50, 30, 20]).reweighted(to: [34, 33, 33])
    let bytes = AllocationCoding.encode(allocation, of: variants)
    #expect(AllocationCoding.decode(bytes, of: variants) == allocation)
    let reversed = try #require(AllocationCoding.decode(bytes, of: variants.reversed()))
    #expect(reversed.slots == allocation.slots.reversed())
    #expect(AllocationCoding.decode(bytes, of: Array(variants.dropLast())) == nil)
    let another = variants + [Variant(id: .new(), key: "d", weight: 0, isControl: false)]
    #expect(AllocationCoding.decode(bytes, of: another) == nil)
    for wrong in ["", "null", "{}", #"[{"variant":"x"}]"#] {
      #expect(AllocationCoding.decode(Array(wrong.utf8), of: variants) == nil)
    }
    let id = variants[0].id.text
    for range in ["[0,10001]", "[-1,5]", "[5,5]", "[7,3]", "[0]", "[0,1.5]"] {
      let text = #"[{"variant":"\#(id)","weight":100,"slots":[\#(range)]}]"#
      #expect(AllocationCoding.decode(Array(text.utf8), of: [variants[0]]) == nil, "\(range)")
    }
  }

  /// Every slot in exactly one range, as many as the weight says, neighbours joined.
  private static func isComplete(_ allocation: Allocation) -> Bool {
    let ranges = allocation.slots.flatMap { $0 }.sorted { $0.lowerBound < $1.lowerBound }
    let isWhole =
      ranges.first?.lowerBound == 0 && ranges.last?.upperBound == 10_000
      && zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }
    return isWhole
      && zip(allocation.slots, allocation.weights).allSatisfy { ranges, weight in
        ranges.reduce(0) { $0 + $1.count } == weight * 100
          && zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }
      }
  }

  /// Random percents that sum to 100, zeros among them.
  private static func weights(_ count: Int, _ random: inout SplitMix64) -> [Int] {
    let cuts = (1..<count).map { _ in Int.random(in: 0...100, using: &random) }.sorted()
    return zip([0] + cuts, cuts + [100]).map { $1 - $0 }
  }
}
