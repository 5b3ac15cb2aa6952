/// One simulated experiment: units come in, convert at once or never, and the product's own rule is
/// asked at every snapshot. It ends when the rule is satisfied first.
struct ExperimentSimulation {
  private let design: SimulationDesign
  private var random: SeededRandom
  private var units: [Int]
  private var conversions: [Int]
  private var runningP: [Double?] = []
  private var ratioP = 1.0
  /// How far from the threshold a normal approximation still tells: in standard errors.
  private let thresholdZ: Double

  /// How a run was decided.
  struct Verdict: Equatable {
    let winner: Int
    let day: Double
  }

  init(_ design: SimulationDesign, seed: UInt64, run: Int) {
    self.design = design
    random = SeededRandom(seed: seed, stream: UInt64(run))
    units = [Int](repeating: 0, count: design.arms)
    conversions = units
    thresholdZ = NormalDistribution.quantile(design.rule.posteriorThreshold)
  }

  /// Nil when nothing was decided until the horizon.
  mutating func run() -> Verdict? {
    for snapshot in 1...max(1, design.snapshotCount) {
      arrive()
      if let winner = decide() {
        let minutes = snapshot * design.rule.snapshotCadenceMinutes
        return Verdict(winner: winner, day: Double(minutes) / 1440)
      }
    }
    return nil
  }

  private mutating func arrive() {
    for arm in 0..<design.arms {
      let arrived =
        switch design.arrivals {
        case .fixed: Int(design.unitsPerArm)
        case .poisson: random.poisson(expected: design.unitsPerArm)
        }
      units[arm] += arrived
      conversions[arm] += random.binomial(trials: arrived, rate: design.rate(ofArm: arm))
    }
  }

  private mutating func decide() -> Int? {
    let ratio = sampleRatio()
    let isEnough = units.allSatisfy { $0 >= design.rule.minSamplePerVariant }
    let isPosterior = design.rule.method == .posteriorThreshold
    guard isEnough, !isPosterior || isNearThreshold else { return nil }
    let inputs = inputs()
    let probBest: [Double?] =
      isPosterior
      ? BestArm(counts.map(ArmPosterior.init), higherIsBetter: true).probabilities
      : units.map { _ in nil }
    let evidence = RuleEvidence(inputs, probBest: probBest)
    runningP = evidence.runningP
    let decision = Decision(
      candidate: evidence.candidate, control: 0, isEnough: isEnough,
      srmWarning: ratio?.isWarning ?? false, violators: [], horizonReached: false)
    return decision.winner
  }

  /// Nil while the arms have exactly the units they should: then there is nothing to warn of.
  private mutating func sampleRatio() -> SampleRatio? {
    if design.arrivals == .fixed { return nil }
    let ratio = SampleRatio([phase], previousP: ratioP)
    ratioP = ratio.sequentialP
    return ratio
  }

  /// Whether the exact probability could reach the threshold: the best arm against the second by a
  /// normal approximation, with a margin far above its error. Only an unneeded integral is saved.
  private var isNearThreshold: Bool {
    let arms = zip(units, conversions).map {
      units, conversions -> (mean: Double, variance: Double) in
      let (n, k) = (Double(units), Double(conversions))
      let mean = (k + 1) / (n + 2)
      return (mean, mean * (1 - mean) / (n + 3))
    }.sorted { $0.mean > $1.mean }
    let z = (arms[0].mean - arms[1].mean) / (arms[0].variance + arms[1].variance).squareRoot()
    let fewest = Double(conversions.min() ?? 0)
    return z >= thresholdZ - 0.02 - 4 / (fewest + 1).squareRoot()
  }

  private var counts: [BinaryCounts] {
    zip(units, conversions).map { BinaryCounts(units: $0, conversions: $1) }
  }

  /// Equal weights; only their proportions matter.
  private var weights: [Int] { [Int](repeating: 1, count: design.arms) }
  private var phase: WeightPhase { WeightPhase(weights: weights, counts: units) }

  private func inputs() -> SnapshotInputs {
    SnapshotInputs(
      variants: weights.enumerated().map {
        SnapshotVariant(key: "arm \($0.offset)", weight: $0.element, isControl: $0.offset == 0)
      },
      phases: [phase], metrics: [MetricInputs(key: "conversion", sample: .binary(counts))],
      rule: design.rule, previousRunningP: runningP)
  }
}
