/// The answer of the analysis: what a snapshot publishes.
struct SnapshotResult: Equatable, Sendable {
  /// In the order of the inputs: the primary metric first.
  let metrics: [MetricResult]
  /// Per variant, also without a metric.
  let units: [Int]
  let sampleRatio: SampleRatio
  let weightsChanged: Bool
  let decision: DecisionResult
}

/// One metric's answer, per variant in the variants' order.
struct MetricResult: Equatable, Sendable {
  let key: String
  let perVariant: [VariantResult]
}

/// What is known of one variant on one metric.
struct VariantResult: Equatable, Sendable {
  let variantKey: String
  let isControl: Bool
  let units: Int
  let conversions: Int
  /// The raw estimate: k/n, ȳ or ΣS/ΣC.
  let observedRate: Double
  let posteriorMean: Double
  let credibleInterval95: Interval
  /// Nil for a variant of weight 0.
  let probBest: Double?
  /// In units of the metric; nil for a variant of weight 0.
  let expectedLoss: Double?
  /// Nil for the control and for a variant of weight 0.
  let lift: LiftResult?
}

/// A treatment against the control.
struct LiftResult: Equatable, Sendable {
  /// Of the observed rates, treatment − control.
  let difference: Double
  /// Of the posteriors.
  let differenceInterval95: Interval
  /// difference / control's observed rate; nil when that is 0.
  let relative: Double?
  /// P(the treatment is better than the control), whichever direction is better.
  let probBetter: Double
}

/// What the rule decides and why.
struct DecisionResult: Equatable, Sendable {
  /// A reason why the rule is not satisfied, with the numbers in plain words.
  struct Reason: Equatable, Sendable {
    let code: Decision.Obstacle
    let detail: String
  }

  /// A variant that is worse than the control on a guardrail metric, with this probability.
  struct Violation: Equatable, Sendable {
    let variantKey: String
    let metricKey: String
    let probWorse: Double
  }

  let isSatisfied: Bool
  let winner: String?
  let outcome: Decision.Outcome
  let recommendation: Recommendation
  let reasons: [Reason]
  let guardrailViolations: [Violation]
  /// Per variant; nil for the control, for variants of weight 0 and for the posterior rule.
  let runningP: [Double?]
  let holmP: [Double?]
  /// The current data alone, under the same method and nil where they are.
  let looks: [ConfidenceSequence?]
}
