/// The one way from counts to a published snapshot.
enum SnapshotAnalysis {
  static func analyse(_ inputs: SnapshotInputs) -> SnapshotResult {
    let sampleRatio = SampleRatio(inputs.phases, previousP: inputs.previousSRMSequentialP)
    let analysed = inputs.metrics.map { AnalysedMetric($0, inputs) }
    let violations = analysed.dropFirst().flatMap { metric in
      metric.violations(inputs)
    }
    let decision = decide(
      inputs, primary: analysed.first, srmWarning: sampleRatio.isWarning, violations: violations)
    return SnapshotResult(
      metrics: analysed.map(\.result), units: inputs.units, sampleRatio: sampleRatio,
      weightsChanged: inputs.weightsChanged, decision: decision)
  }

  private static func decide(
    _ inputs: SnapshotInputs, primary: AnalysedMetric?, srmWarning: Bool,
    violations: [(variant: Int, violation: DecisionResult.Violation)]
  ) -> DecisionResult {
    let isEnough = inputs.isEnough
    let probBest = primary?.probBest ?? inputs.variants.map { _ in nil }
    let evidence = RuleEvidence(inputs, probBest: probBest)
    let looks: [ConfidenceSequence?] =
      if let metric = inputs.metrics.first, inputs.rule.method != .posteriorThreshold {
        SequentialTests.looks(inputs, metric)
      } else {
        inputs.variants.map { _ in nil }
      }
    let violators = Set(violations.map(\.variant))
    let decision = Decision(
      candidate: evidence.candidate, control: inputs.control, isEnough: isEnough,
      srmWarning: srmWarning, violators: violators, horizonReached: inputs.horizonReached)

    let treatments = probBest.indices.map { $0 == inputs.control ? nil : probBest[$0] }
    let leader = PosteriorRule.leader(treatments)
    let recommendation = Recommendation(
      isSatisfied: decision.isSatisfied, winnerIsControl: decision.winner == inputs.control,
      srmWarning: srmWarning, leaderViolatesGuardrail: leader.map(violators.contains) ?? false,
      horizonReached: inputs.horizonReached, isEnough: isEnough,
      // Without a metric nothing is known to be futile.
      probMeaningful: primary?.probMeaningful(inputs) ?? 1)
    let reasons = ReasonText(
      inputs: inputs, probBest: probBest, evidence: evidence,
      violations: violations.map(\.violation))
    return DecisionResult(
      isSatisfied: decision.isSatisfied, winner: decision.winner.map { inputs.variants[$0].key },
      outcome: decision.outcome, recommendation: recommendation,
      reasons: decision.obstacles.map {
        DecisionResult.Reason(code: $0, detail: reasons.detail($0))
      },
      guardrailViolations: violations.map(\.violation),
      runningP: evidence.runningP, holmP: evidence.holmP, looks: looks)
  }
}

/// One metric with its posteriors, from which all questions about it are answered.
private struct AnalysedMetric {
  let inputs: MetricInputs
  let posteriors: [ArmPosterior]
  let probBest: [Double?]
  let result: MetricResult

  init(_ metric: MetricInputs, _ snapshot: SnapshotInputs) {
    inputs = metric
    let posteriors = metric.sample.posteriors
    let best = BestArm(
      snapshot.live.map { posteriors[$0] }, higherIsBetter: metric.higherIsBetter)
    var probBest: [Double?] = snapshot.variants.map { _ in nil }
    var losses = probBest
    for (place, index) in snapshot.live.enumerated() {
      probBest[index] = best.probabilities[place]
      losses[index] = best.expectedLosses[place]
    }
    let (units, conversions) = (metric.sample.units, metric.sample.conversions)
    let estimates = metric.sample.estimates
    let perVariant = snapshot.variants.enumerated().map { index, variant in
      VariantResult(
        variantKey: variant.key, isControl: index == snapshot.control, units: units[index],
        conversions: conversions[index], observedRate: estimates[index],
        posteriorMean: posteriors[index].mean, credibleInterval95: posteriors[index].interval,
        probBest: probBest[index], expectedLoss: losses[index],
        lift: snapshot.liveTreatments.contains(index)
          ? LiftResult(
            posteriors[index], over: posteriors[snapshot.control],
            estimates: (estimates[index], estimates[snapshot.control]),
            higherIsBetter: metric.higherIsBetter)
          : nil)
    }
    self.posteriors = posteriors
    self.probBest = probBest
    result = MetricResult(key: metric.key, perVariant: perVariant)
  }

  /// The largest probability that a live treatment is better by the effect hoped for.
  func probMeaningful(_ snapshot: SnapshotInputs) -> Double {
    let effect = snapshot.rule.minimumDetectableEffect
    return snapshot.liveTreatments.map { index in
      let lift = Lift(of: posteriors[index], over: posteriors[snapshot.control])
      return inputs.higherIsBetter
        ? lift.probability(atLeast: effect) : lift.probability(atMost: -effect)
    }.max() ?? 0
  }

  /// Live treatments that are probably worse than the control on this metric.
  func violations(_ snapshot: SnapshotInputs)
    -> [(variant: Int, violation: DecisionResult.Violation)]
  {
    snapshot.liveTreatments.compactMap { index in
      let lift = Lift(of: posteriors[index], over: posteriors[snapshot.control])
      let probWorse =
        inputs.higherIsBetter
        ? lift.probability(atMost: 0) : lift.probability(atLeast: 0)
      guard Guardrail.isViolated(probWorse: probWorse) else { return nil }
      return (
        index,
        DecisionResult.Violation(
          variantKey: snapshot.variants[index].key, metricKey: inputs.key, probWorse: probWorse)
      )
    }
  }
}

extension LiftResult {
  fileprivate init(
    _ treatment: ArmPosterior, over control: ArmPosterior,
    estimates: (treatment: Double, control: Double), higherIsBetter: Bool
  ) {
    let lift = Lift(of: treatment, over: control)
    difference = estimates.treatment - estimates.control
    differenceInterval95 = lift.differenceInterval()
    relative = estimates.control == 0 ? nil : difference / estimates.control
    probBetter = higherIsBetter ? lift.probability(atLeast: 0) : lift.probability(atMost: 0)
  }
}
