/// All that one snapshot of an experiment is computed from; equal inputs give equal results.
struct SnapshotInputs: Equatable, Sendable {
  /// In the experiment's order, one of them the control.
  var variants: [SnapshotVariant]
  /// Units by the weights in force when they were assigned, one or more phases.
  var phases: [WeightPhase]
  /// The primary metric first, then the guardrails. Empty: counts and sample ratio only.
  var metrics: [MetricInputs]
  var rule: DecisionRule
  /// Converted units of the primary metric per phase and variant, for the e-value of a binary
  /// metric whose weights changed; empty otherwise.
  var conversionsByPhase: [[Int]] = []
  /// From the last snapshot; 1 and none for the first.
  var previousSRMSequentialP = 1.0
  var previousRunningP: [Double?] = []
  /// `started_at` + `max_duration_days` is not in the future.
  var horizonReached = false

  var control: Int { variants.firstIndex(where: \.isControl) ?? 0 }
  var live: [Int] { variants.indices.filter { variants[$0].weight > 0 } }
  var liveTreatments: [Int] { live.filter { $0 != control } }

  /// Units per variant; those of the phases when there is no metric.
  var units: [Int] {
    metrics.first?.sample.units
      ?? variants.indices.map { variant in phases.reduce(0) { $0 + $1.counts[variant] } }
  }

  /// Every live variant has the units that the rule asks for.
  var isEnough: Bool {
    let units = units
    return live.allSatisfy { units[$0] >= rule.minSamplePerVariant }
  }

  /// More than one phase, and not all with the same weights.
  var weightsChanged: Bool { Set(phases.map(\.weights)).count > 1 }
}

/// A variant as the analysis sees it.
struct SnapshotVariant: Equatable, Sendable {
  let key: String
  /// In force now; an arm of weight 0 is reported but does not compete.
  let weight: Int
  let isControl: Bool
}

/// One metric's data.
struct MetricInputs: Equatable, Sendable {
  let key: String
  let higherIsBetter: Bool
  let sample: MetricSample

  init(key: String, higherIsBetter: Bool = true, sample: MetricSample) {
    self.key = key
    self.higherIsBetter = higherIsBetter
    self.sample = sample
  }
}
