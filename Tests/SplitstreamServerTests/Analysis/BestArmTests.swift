import Testing

@testable import SplitstreamServer

/// What must hold of probabilities and losses whatever the numbers are; the numbers themselves are
/// held by the vectors.
@Suite("Statistics: best arm")
struct BestArmTests {
  private static let cases: [[(Int, Int)]] = [
    [(0, 0), (0, 0)],
    [(0, 0), (1_000_000_000, 50_000_000)],
    [(1000, 0), (1000, 0), (10, 0)],
    [(1_000_000_000, 1_000_000_000), (1_000_000_000, 999_999_999), (5, 5)],
    [(1_000_000_000, 0), (1_000_000_000, 1_000_000_000)],
    [(20, 3), (20_000, 3100), (20_000_000, 3_010_000)],
    (0..<20).map { (5000 + 100 * $0, 250 + 9 * $0) },
  ]

  private static func arms(_ counts: [(Int, Int)]) -> [ArmPosterior] {
    counts.map { ArmPosterior(BinaryCounts(units: $0.0, conversions: $0.1)) }
  }

  @Test("probabilities sum to 1; losses differ as the means do", arguments: cases.indices)
  func sums(index: Int) {
    let arms = Self.arms(Self.cases[index])
    for higherIsBetter in [true, false] {
      let best = BestArm(arms, higherIsBetter: higherIsBetter)
      #expect(abs(best.probabilities.reduce(0, +) - 1) < 1e-9)
      #expect(best.probabilities.allSatisfy { $0 >= 0 })
      #expect(best.expectedLosses.allSatisfy { $0 >= 0 })
      // E[max] − E[θ_i] for every i: one E[max], found K times.
      let sign = higherIsBetter ? 1.0 : -1.0
      let maxima = zip(best.expectedLosses, arms).map { $0 + sign * $1.mean }
      #expect(maxima.allSatisfy { abs($0 - maxima[0]) < 1e-11 })
    }
  }

  @Test("equal arms share the probability", arguments: [2, 3, 20])
  func equalArms(count: Int) {
    let arm = ArmPosterior(BinaryCounts(units: 45_000, conversions: 8500))
    let best = BestArm(Array(repeating: arm, count: count), higherIsBetter: true)
    #expect(best.probabilities.allSatisfy { abs($0 - 1 / Double(count)) < 1e-12 })
  }

  @Test("exchanging arms exchanges the answers", arguments: cases.indices)
  func order(index: Int) {
    let arms = Self.arms(Self.cases[index])
    let best = BestArm(arms, higherIsBetter: true)
    let mirrored = BestArm(arms.reversed(), higherIsBetter: true)
    for (a, b) in zip(best.probabilities, mirrored.probabilities.reversed()) {
      #expect(abs(a - b) < 1e-12)
    }
    for (a, b) in zip(best.expectedLosses, mirrored.expectedLosses.reversed()) {
      #expect(abs(a - b) < 1e-12)
    }
  }

  @Test("rates and their complements answer alike", arguments: cases.indices)
  func complement(index: Int) {
    let counts = Self.cases[index]
    let best = BestArm(Self.arms(counts), higherIsBetter: true)
    let complement = BestArm(
      Self.arms(counts.map { ($0.0, $0.0 - $0.1) }), higherIsBetter: false)
    for (a, b) in zip(best.probabilities, complement.probabilities) {
      #expect(abs(a - b) < 1e-12)
    }
  }

  @Test("one more conversion never hurts")
  func monotone() {
    var last = -1.0
    for conversions in [0, 1, 2, 5, 10, 11, 12, 15, 25, 40] {
      let arms = Self.arms([(40, 11), (40, conversions), (400, 110)])
      let probability = BestArm(arms, higherIsBetter: true).probabilities[1]
      #expect(probability > last)
      last = probability
    }
  }

  @Test("one arm is the best and costs nothing; no arm is no answer")
  func few() {
    let one = BestArm(Self.arms([(10, 3)]), higherIsBetter: true)
    #expect(one.probabilities == [1])
    #expect(one.expectedLosses == [0])
    #expect(BestArm([], higherIsBetter: true).probabilities.isEmpty)
  }

  @Test("a two-arm probability is the lift's probability")
  func lift() {
    let arms = Self.arms([(44_700, 8502), (45_489, 8279)])
    let best = BestArm(arms, higherIsBetter: true)
    let lift = Lift(of: arms[1], over: arms[0])
    #expect(abs(lift.probability(atLeast: 0) - best.probabilities[1]) < 1e-12)
    #expect(abs(lift.probability(atMost: 0) - best.probabilities[0]) < 1e-12)
    let interval = lift.differenceInterval()
    let back = Lift(of: arms[0], over: arms[1]).differenceInterval()
    #expect(abs(interval.lower + back.upper) < 1e-12)
    #expect(abs(interval.upper + back.lower) < 1e-12)
  }

  @Test("an interval holds 95 %: its ends are the table's quantiles")
  func interval() throws {
    for counts in Self.cases.joined() {
      let arm = ArmPosterior(BinaryCounts(units: counts.0, conversions: counts.1))
      let table = try #require(arm.table)
      for probability in [1e-6, 0.025, 0.5, 0.975, 1 - 1e-6] {
        let tails = table.tails(at: table.quantile(probability))
        #expect(abs(tails.below - probability) < 1e-12)
        #expect(abs(tails.above - (1 - probability)) < 1e-12)
      }
      #expect(arm.interval.lower < arm.mean && arm.mean < arm.interval.upper)
    }
  }

  /// Edges of both tables then fall beside each other, with no number between them.
  @Test("arms that differ by less than a rounding error")
  func neighbours() {
    for counts in Self.cases.joined() {
      let arm = ArmPosterior(BinaryCounts(units: counts.0, conversions: counts.1))
      for relative in [1e-16, -1e-16, 2.3e-16, -2.3e-16, 5e-16, 1e-15, -1e-15] {
        let probability = Lift(of: arm, over: arm).probability(atLeast: relative)
        // Of a rate of 1 − 1e-9, a lift of 1e-15 is a millionth of its distance from 1.
        #expect(abs(probability - 0.5) < 1e-6)
      }
    }
  }

  @Test("units that are all alike are a point: nobody is better")
  func pointMass() {
    let arms = ArmPosterior.ofMeans([
      UnitMoments(units: 5, mean: 3, variance: 0), UnitMoments(units: 0, mean: 0, variance: 0),
    ])
    let best = BestArm(arms, higherIsBetter: true)
    #expect(best.probabilities == [0.5, 0.5])
    #expect(best.expectedLosses == [0, 0])
    #expect(arms.map(\.mean) == [3, 3])
    let lift = Lift(of: arms[1], over: arms[0])
    #expect(lift.differenceInterval() == Interval(lower: 0, upper: 0))
    #expect(lift.probability(atLeast: 0) == 1)
    #expect(lift.probability(atLeast: 0.1) == 0)
  }
}
