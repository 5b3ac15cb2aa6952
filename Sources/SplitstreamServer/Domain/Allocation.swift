/// Which of the 10,000 slots belongs to which variant during one weight epoch.
///
/// A change of weights moves as few slots as it can (`reweighted`), so that hardly anyone not yet
/// stored changes sides.
struct Allocation: Equatable, Sendable {
  static let slotCount = 10_000
  private static let slotsPerPercent = 100

  /// Percent per variant, in the order of the variants.
  let weights: [Int]
  /// Per variant its ranges `[start, end)`, ascending and disjoint.
  let slots: [[Range<Int>]]
  /// The first slot of each run of one owner, ascending, and that owner: for the binary search.
  private let runStarts: [UInt16]
  private let runOwners: [UInt8]

  /// The first allocation: in the order of the variants, 100 slots a percent.
  ///
  /// - Precondition: `weights` sum to 100 and there are at most 256 of them.
  init(weights: [Int]) {
    var next = 0
    self.init(
      weights: weights,
      slots: weights.map { weight in
        defer { next += weight * Self.slotsPerPercent }
        return weight == 0 ? [] : [next..<next + weight * Self.slotsPerPercent]
      })
  }

  /// An allocation stored earlier.
  init(weights: [Int], slots: [[Range<Int>]]) {
    self.weights = weights
    self.slots = slots
    let runs = slots.enumerated().flatMap { owner, ranges in ranges.map { ($0.lowerBound, owner) } }
      .sorted { $0.0 < $1.0 }
    runStarts = runs.map { UInt16($0.0) }
    runOwners = runs.map { UInt8($0.1) }
  }

  /// The index of the variant that owns `slot`, 0 … 9,999.
  func owner(of slot: Int) -> Int {
    var low = 0
    var high = runStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if Int(runStarts[middle]) <= slot { low = middle } else { high = middle }
    }
    return Int(runOwners[low])
  }

  /// The allocation for `newWeights` that moves exactly Σ max(0, old − new) slots.
  ///
  /// Each shrinking variant, in variant order, gives up its highest slots; the freed slots,
  /// ascending, go to the growing variants in variant order.
  func reweighted(to newWeights: [Int]) -> Allocation {
    precondition(
      newWeights.count == weights.count, "the set of variants of a running experiment is fixed")
    var slots = slots
    var freed: [Range<Int>] = []
    for index in slots.indices where newWeights[index] < weights[index] {
      var excess = (weights[index] - newWeights[index]) * Self.slotsPerPercent
      while excess > 0, let last = slots[index].popLast() {
        let given = min(excess, last.count)
        freed.append(last.upperBound - given..<last.upperBound)
        if given < last.count { slots[index].append(last.lowerBound..<last.upperBound - given) }
        excess -= given
      }
    }
    freed.sort { $0.lowerBound < $1.lowerBound }
    for index in slots.indices where newWeights[index] > weights[index] {
      var missing = (newWeights[index] - weights[index]) * Self.slotsPerPercent
      while missing > 0, let first = freed.first {
        let taken = min(missing, first.count)
        slots[index].append(first.lowerBound..<first.lowerBound + taken)
        if taken < first.count {
          freed[0] = first.lowerBound + taken..<first.upperBound
        } else {
          freed.removeFirst()
        }
        missing -= taken
      }
    }
    return Allocation(weights: newWeights, slots: slots.map(Self.joined))
  }

  /// Ascending, neighbours made one.
  private static func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
    ranges.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { joined, range in
      if let last = joined.last, last.upperBound == range.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<range.upperBound
      } else {
        joined.append(range)
      }
    }
  }

  static func == (left: Allocation, right: Allocation) -> Bool {
    left.weights == right.weights && left.slots == right.slots
  }
}
