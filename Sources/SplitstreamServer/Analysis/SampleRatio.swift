import Glibc

/// The units assigned while one set of weights was in force, per variant in the variants' order.
struct WeightPhase: Equatable, Sendable {
  let weights: [Int]
  let counts: [Int]

  init(weights: [Int], counts: [Int]) {
    precondition(weights.count == counts.count, "one weight and one count per variant")
    self.weights = weights
    self.counts = counts
  }

  /// Variants that units could fall to.
  var live: [Int] { weights.indices.filter { weights[$0] > 0 } }
}

/// Do the units fall to the variants as their weights say? If not, no number of the experiment can
/// be trusted: something loses or adds units depending on the variant (Fabijan et al. 2019).
struct SampleRatio: Equatable, Sendable {
  /// Null without units, or when every phase has one live variant only.
  let chiSquared: Double?
  let degreesOfFreedom: Int
  let pValue: Double?
  /// Anytime-valid evidence, natural logarithm.
  let logE: Double
  /// The smallest min(1, 1/E) of this and all earlier snapshots.
  let sequentialP: Double
  /// False when some expected count is below 5; then χ² raises no warning.
  let isReliable: Bool
  let isWarning: Bool

  private static let expectedMin = 5.0
  private static let alarm = 0.001
  private static let concentration = 10_000.0

  /// - Parameter previousP: `sequentialP` of the last snapshot, 1 for the first: a warning latches.
  init(_ phases: [WeightPhase], previousP: Double = 1) {
    // A phase without units, or with one live variant, has nothing to say.
    let telling = phases.filter { phase in
      phase.live.count > 1 && phase.live.contains { phase.counts[$0] > 0 }
    }
    let wellFilled = telling.filter { phase in
      Self.expected(phase).allSatisfy { $0 >= Self.expectedMin }
    }
    let used = wellFilled.isEmpty ? telling : wellFilled
    // Units of a variant that nobody could be assigned to: impossible, whatever the rest says.
    let isImpossible = phases.contains { phase in
      phase.weights.indices.contains { phase.weights[$0] == 0 && phase.counts[$0] > 0 }
    }

    degreesOfFreedom = used.reduce(0) { $0 + $1.live.count - 1 }
    let statistic = used.reduce(0.0) { $0 + Self.statistic($1) }
    chiSquared = used.isEmpty ? nil : statistic
    if isImpossible {
      pValue = 0
    } else {
      pValue =
        used.isEmpty ? nil : ChiSquared.upperTail(statistic, degrees: degreesOfFreedom)
    }
    isReliable = !wellFilled.isEmpty
    logE = telling.reduce(0.0) { $0 + Self.logE($1) }
    sequentialP = min(previousP, 1, exp(-logE))
    isWarning =
      isImpossible || sequentialP <= Self.alarm
      || isReliable && (pValue ?? 1) < Self.alarm
  }

  /// Expected counts of the live variants.
  private static func expected(_ phase: WeightPhase) -> [Double] {
    let units = Double(phase.live.reduce(0) { $0 + phase.counts[$1] })
    return shares(phase).map { units * $0 }
  }

  private static func shares(_ phase: WeightPhase) -> [Double] {
    let total = Double(phase.live.reduce(0) { $0 + phase.weights[$1] })
    return phase.live.map { Double(phase.weights[$0]) / total }
  }

  private static func statistic(_ phase: WeightPhase) -> Double {
    zip(phase.live, expected(phase)).reduce(0) { sum, pair in
      let excess = Double(phase.counts[pair.0]) - pair.1
      return sum + excess * excess / pair.1
    }
  }

  private static func logE(_ phase: WeightPhase) -> Double {
    MixtureEvidence.logE(
      counts: phase.live.map { phase.counts[$0] }, shares: shares(phase),
      concentration: concentration)
  }
}
