import Testing

@testable import SplitstreamServer

/// The whole of a snapshot: what is published, what is decided and why.
@Suite("Statistics: snapshot")
struct SnapshotAnalysisTests {
  private static func inputs(
    _ primary: [(Int, Int)], weights: [Int] = [50, 50], guardrails: [[(Int, Int)]] = [],
    rule: DecisionRule = DecisionRule()
  ) -> SnapshotInputs {
    func sample(_ counts: [(Int, Int)]) -> MetricSample {
      .binary(counts.map { BinaryCounts(units: $0.0, conversions: $0.1) })
    }
    return SnapshotInputs(
      variants: weights.enumerated().map {
        SnapshotVariant(
          key: $0 == 0 ? "control" : "treatment-\($0)", weight: $1, isControl: $0 == 0)
      },
      phases: [WeightPhase(weights: weights, counts: primary.map(\.0))],
      metrics: [MetricInputs(key: "purchase", sample: sample(primary))]
        + guardrails.enumerated().map {
          MetricInputs(key: "guardrail-\($0)", sample: sample($1))
        },
      rule: rule)
  }

  @Test("a treatment that wins")
  func won() {
    let result = SnapshotAnalysis.analyse(Self.inputs([(20_000, 2000), (20_000, 2160)]))
    #expect(result.decision.isSatisfied)
    #expect(result.decision.winner == "treatment-1")
    #expect(result.decision.outcome == .won)
    #expect(result.decision.recommendation == .launch)
    #expect(result.decision.reasons.isEmpty)
    #expect(result.units == [20_000, 20_000])
    #expect(!result.weightsChanged)

    let variants = result.metrics[0].perVariant
    #expect(variants.map(\.variantKey) == ["control", "treatment-1"])
    #expect(variants.map(\.isControl) == [true, false])
    #expect(variants.map(\.conversions) == [2000, 2160])
    #expect(variants[0].lift == nil)
    let lift = variants[1].lift
    #expect(abs((lift?.difference ?? 0) - 0.008) < 1e-15)
    #expect(abs((lift?.relative ?? 0) - 0.08) < 1e-14)
    #expect(abs((lift?.probBetter ?? 0) - (variants[1].probBest ?? 1)) < 1e-12)
  }

  @Test("the control that wins")
  func lost() {
    let result = SnapshotAnalysis.analyse(Self.inputs([(20_000, 2200), (20_000, 2000)]))
    #expect(result.decision.winner == "control")
    #expect(result.decision.outcome == .lost)
    #expect(result.decision.recommendation == .stop)
  }

  @Test("too few units, said in numbers")
  func minSample() {
    let result = SnapshotAnalysis.analyse(Self.inputs([(7600, 760), (19_999, 2400)]))
    #expect(!result.decision.isSatisfied)
    #expect(result.decision.winner == nil)
    #expect(result.decision.outcome == .continue)
    let reason = result.decision.reasons.first { $0.code == .minSampleNotReached }
    #expect(reason?.detail == "needs 12,400 more units in control, 1 more unit in treatment-1")
    // 7,600 against 19,999 is no fair coin either.
    #expect(result.decision.reasons.contains { $0.code == .srmWarning })
    #expect(result.decision.recommendation == .investigate)
  }

  @Test("evidence below the threshold, never rounded up to it")
  func evidence() {
    let result = SnapshotAnalysis.analyse(Self.inputs([(20_000, 2000), (20_000, 2154)]))
    let probability = result.metrics[0].perVariant[1].probBest ?? 0
    #expect(probability > 0.99 && probability < 0.995)
    #expect(result.decision.reasons.map(\.code) == [.evidenceBelowThreshold])
    #expect(
      result.decision.reasons[0].detail
        == "treatment-1 is the best with probability 0.9941; the rule asks for 0.9950")
    #expect(result.decision.recommendation == .continue)
  }

  @Test("the horizon ends an undecided experiment")
  func horizon() {
    var inputs = Self.inputs([(20_000, 2000), (20_000, 2050)])
    inputs.horizonReached = true
    let decision = SnapshotAnalysis.analyse(inputs).decision
    #expect(decision.outcome == .inconclusive)
    #expect(decision.recommendation == .investigate)
  }

  @Test("an effect that has become improbable is futile")
  func futile() {
    var rule = DecisionRule()
    rule.minimumDetectableEffect = 0.2
    let decision = SnapshotAnalysis.analyse(
      Self.inputs([(20_000, 2000), (20_000, 2010)], rule: rule)
    ).decision
    #expect(decision.outcome == .continue)
    #expect(decision.recommendation == .stop)
  }

  @Test("a guardrail stops a treatment, not the control")
  func guardrail() {
    let worse = [(20_000, 5000), (20_000, 4800)]
    let result = SnapshotAnalysis.analyse(
      Self.inputs([(20_000, 2000), (20_000, 2160)], guardrails: [worse]))
    #expect(result.decision.reasons.map(\.code) == [.guardrailViolated])
    #expect(result.decision.winner == nil)
    #expect(result.decision.recommendation == .investigate)
    #expect(result.decision.guardrailViolations.map(\.metricKey) == ["guardrail-0"])
    #expect(result.decision.guardrailViolations.map(\.variantKey) == ["treatment-1"])
    #expect(result.metrics.map(\.key) == ["purchase", "guardrail-0"])

    let control = SnapshotAnalysis.analyse(
      Self.inputs([(20_000, 2200), (20_000, 2000)], guardrails: [worse]))
    #expect(control.decision.outcome == .lost)
  }

  @Test("of two candidates only a treatment minds a guardrail", arguments: [0, 1])
  func candidate(index: Int) {
    let decision = Decision(
      candidate: index, control: 0, isEnough: true, srmWarning: false, violators: [0, 1],
      horizonReached: false)
    #expect(decision.isSatisfied == (index == 0))
    #expect(decision.obstacles == (index == 0 ? [] : [.guardrailViolated]))
  }

  @Test("a sample-ratio warning of the past still vetoes")
  func latchedWarning() {
    var inputs = Self.inputs([(20_000, 2000), (20_000, 2160)])
    inputs.previousSRMSequentialP = 0.0005
    let decision = SnapshotAnalysis.analyse(inputs).decision
    #expect(decision.reasons.map(\.code) == [.srmWarning])
    #expect(decision.recommendation == .investigate)
  }

  @Test("a variant of weight 0 is reported and does not compete")
  func weightZero() {
    let three = SnapshotAnalysis.analyse(
      Self.inputs([(20_000, 2000), (20_000, 2160), (0, 0)], weights: [50, 50, 0]))
    let two = SnapshotAnalysis.analyse(Self.inputs([(20_000, 2000), (20_000, 2160)]))
    #expect(three.decision == two.decision.padded(to: 3))
    let retired = three.metrics[0].perVariant[2]
    #expect(retired.probBest == nil && retired.expectedLoss == nil && retired.lift == nil)
    #expect(abs(retired.credibleInterval95.lower - 0.025) < 1e-12)
    #expect(three.metrics[0].perVariant[1].probBest == two.metrics[0].perVariant[1].probBest)
  }

  @Test("without a metric: counts and sample ratio, no decision")
  func noMetric() {
    var inputs = Self.inputs([(20_000, 0), (20_100, 0)])
    inputs.metrics = []
    let result = SnapshotAnalysis.analyse(inputs)
    #expect(result.units == [20_000, 20_100])
    #expect(result.metrics.isEmpty)
    #expect(result.sampleRatio.pValue != nil)
    #expect(result.decision.outcome == .continue)
    #expect(result.decision.recommendation == .continue)
    #expect(
      result.decision.reasons == [.init(code: .evidenceBelowThreshold, detail: "no primary metric")]
    )
  }

  @Test("less can be better")
  func lowerIsBetter() {
    var inputs = Self.inputs([(20_000, 2160), (20_000, 2000)])
    inputs.metrics[0] = MetricInputs(
      key: "churn", higherIsBetter: false, sample: inputs.metrics[0].sample)
    let result = SnapshotAnalysis.analyse(inputs)
    #expect(result.decision.outcome == .won)
    #expect((result.metrics[0].perVariant[1].lift?.probBetter ?? 0) > 0.99)
    #expect((result.metrics[0].perVariant[1].lift?.difference ?? 0) < 0)
  }

  @Test("no units yet: an answer of finite numbers")
  func empty() {
    let result = SnapshotAnalysis.analyse(Self.inputs([(0, 0), (0, 0)]))
    let treatment = result.metrics[0].perVariant[1]
    #expect(treatment.posteriorMean == 0.5)
    #expect(abs((treatment.expectedLoss ?? 0) - 1.0 / 6) < 1e-12)
    #expect(treatment.lift?.relative == nil)
    #expect(result.sampleRatio.pValue == nil)
    #expect(result.decision.outcome == .continue)
  }

  @Test("weights that changed, and weights that were only written again")
  func weightsChanged() {
    var inputs = Self.inputs([(20_000, 2000), (20_000, 2160)])
    let phase = WeightPhase(weights: [50, 50], counts: [10_000, 10_000])
    inputs.phases = [phase, phase]
    #expect(!inputs.weightsChanged)
    inputs.phases.append(WeightPhase(weights: [90, 10], counts: [9, 1]))
    #expect(SnapshotAnalysis.analyse(inputs).weightsChanged)
  }

  @Test("always-valid p-values run, are kept, and are said in the reason")
  func sequential() {
    var rule = DecisionRule()
    rule.method = .alwaysValidEValue
    rule.posteriorThreshold = 0.95
    rule.minSamplePerVariant = 1000
    let first = SnapshotAnalysis.analyse(Self.inputs([(1000, 100), (1000, 130)], rule: rule))
    #expect(first.decision.outcome == .continue)
    #expect(first.decision.runningP[0] == nil)
    #expect(first.decision.reasons.map(\.code) == [.evidenceBelowThreshold])
    #expect(first.decision.reasons[0].detail.hasSuffix("the rule asks for 0.0500 or less"))

    var later = Self.inputs([(3000, 300), (3000, 480)], rule: rule)
    later.previousRunningP = first.decision.runningP
    let won = SnapshotAnalysis.analyse(later)
    #expect(won.decision.outcome == .won)
    // The evidence fades, its minimum stays.
    var fading = Self.inputs([(9000, 900), (9000, 910)], rule: rule)
    fading.previousRunningP = won.decision.runningP
    let still = SnapshotAnalysis.analyse(fading)
    #expect(still.decision.runningP == won.decision.runningP)
    #expect(still.decision.outcome == .won)
  }
}

extension DecisionResult {
  /// The same decision with more variants that take no part.
  fileprivate func padded(to count: Int) -> DecisionResult {
    let none: [Double?] = Array(repeating: nil, count: count)
    return DecisionResult(
      isSatisfied: isSatisfied, winner: winner, outcome: outcome, recommendation: recommendation,
      reasons: reasons, guardrailViolations: guardrailViolations, runningP: none, holmP: none,
      looks: Array(repeating: nil, count: count))
  }
}
