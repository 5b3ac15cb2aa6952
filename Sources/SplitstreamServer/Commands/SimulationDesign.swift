/// One cell of a simulation: an experiment with a binary metric, repeated many times.
struct SimulationDesign: Sendable {
  /// How units come in between two snapshots.
  enum Arrivals: String, CaseIterable, Sendable {
    /// The same whole number in every arm, each time.
    case fixed
    case poisson
  }

  var rule = DecisionRule()
  /// The control's conversion rate.
  var baseline = 0.1
  /// How much better the treatments convert, relative to the control; 0 simulates false positives.
  var relativeLift = 0.0
  /// Of all arms together.
  var unitsPerDay = 4000
  var arms = 2
  var arrivals = Arrivals.poisson

  /// Snapshots until the horizon.
  var snapshotCount: Int { rule.maxDurationDays * 1440 / rule.snapshotCadenceMinutes }

  /// Units expected in one arm between two snapshots.
  var unitsPerArm: Double {
    Double(unitsPerDay) / Double(arms) * Double(rule.snapshotCadenceMinutes) / 1440
  }

  func rate(ofArm arm: Int) -> Double { arm == 0 ? baseline : baseline * (1 + relativeLift) }

  /// The false positives of the published calibration: 4,000 units a day, a rate of 10 %, exactly
  /// as many units in both arms, 28 days.
  static let published: [SimulationDesign] = [
    (0.95, 1000, 15), (0.99, 5000, 60), (0.99, 20_000, 240), (0.995, 20_000, 240),
    (0.999, 20_000, 240), (0.9999, 20_000, 240),
  ].map { threshold, sample, cadence in
    var design = SimulationDesign()
    design.rule.posteriorThreshold = threshold
    design.rule.minSamplePerVariant = sample
    design.rule.snapshotCadenceMinutes = cadence
    design.arrivals = .fixed
    return design
  }
}

/// What many repetitions of one design came to.
struct SimulationResult: Equatable, Sendable {
  var runs = 0
  /// Runs in which the rule named a treatment at some snapshot, and those in which it named the
  /// control.
  var treatmentWins = 0
  var controlWins = 0
  /// Sum over the decided runs of the day on which the rule was satisfied first.
  var daysUntilDecided = 0.0

  var fired: Int { treatmentWins + controlWins }
  var firedShare: Double { runs == 0 ? 0 : Double(fired) / Double(runs) }

  /// Wilson's 95 % interval of the share of runs that were decided.
  var interval: Interval {
    guard runs > 0 else { return Interval(lower: 0, upper: 1) }
    return FixedHorizonTest.wilson(firedShare, Double(runs), NormalDistribution.quantile(0.975))
  }

  static func + (left: SimulationResult, right: SimulationResult) -> SimulationResult {
    SimulationResult(
      runs: left.runs + right.runs, treatmentWins: left.treatmentWins + right.treatmentWins,
      controlWins: left.controlWins + right.controlWins,
      daysUntilDecided: left.daysUntilDecided + right.daysUntilDecided)
  }
}
