@testable import SplitstreamServer

/// `decide`: a rule applied to a row of snapshots, each remembering the p-values of the one before.
extension VectorFunctions {
  @Sendable static func decide(_ input: VectorInput) throws -> VectorAnswer {
    let weights = try input.ints("weights")
    let control = try input.int("control", default: 0)
    let kind = try input.text("kind", default: "binary")
    var inputs = SnapshotInputs(
      variants: weights.enumerated().map {
        SnapshotVariant(key: String($0), weight: $1, isControl: $0 == control)
      },
      phases: [], metrics: [], rule: try rule(input.object("rule")))
    let higherIsBetter = try input.bool("higher_is_better", default: true)

    return .list(
      try input.objects("snapshots").map { snapshot in
        let arms = try snapshot.list("arms").map { try VectorInput.list($0, "arms") }
        inputs.metrics = [
          MetricInputs(
            key: "primary", higherIsBetter: higherIsBetter,
            sample: try sample(arms, isBinary: kind == "binary"))
        ]
        inputs.horizonReached = try snapshot.bool("horizon_reached", default: false)
        let answer = try decide(inputs, snapshot)
        inputs.previousRunningP = answer.evidence.runningP
        return answer.fields
      })
  }

  private static func decide(_ inputs: SnapshotInputs, _ snapshot: VectorInput) throws
    -> (fields: VectorAnswer, evidence: RuleEvidence)
  {
    let posteriors = inputs.metrics[0].sample.posteriors
    let best = BestArm(
      inputs.live.map { posteriors[$0] }, higherIsBetter: inputs.metrics[0].higherIsBetter)
    var probBest: [Double?] = inputs.variants.map { _ in nil }
    for (place, index) in inputs.live.enumerated() { probBest[index] = best.probabilities[place] }

    let evidence = RuleEvidence(inputs, probBest: probBest)
    let decision = Decision(
      candidate: evidence.candidate, control: inputs.control, isEnough: inputs.isEnough,
      srmWarning: try snapshot.bool("srm_warning", default: false),
      violators: try violators(snapshot), horizonReached: inputs.horizonReached)
    return (
      [
        "decision_rule_satisfied": VectorAnswer(decision.isSatisfied),
        "winner": decision.winner.map { VectorAnswer($0) } ?? .null,
        "outcome": .text(decision.outcome.rawValue),
        "reasons": .list(decision.obstacles.map { .text($0.rawValue) }),
        "prob_best": VectorAnswer(probBest),
        "running_p": pValues(evidence.runningP, inputs),
        "holm_p": pValues(evidence.holmP, inputs),
      ], evidence
    )
  }

  private static func rule(_ input: VectorInput) throws -> DecisionRule {
    var rule = DecisionRule()
    if let name = input.value("method") {
      guard case .text(let text) = name, let method = DecisionRule.Method(rawValue: text) else {
        throw VectorProblem("unknown method \(name)")
      }
      rule.method = method
    }
    rule.posteriorThreshold = try input.double(
      "posterior_threshold", default: rule.posteriorThreshold)
    rule.minimumDetectableEffect = try input.double(
      "minimum_detectable_effect", default: rule.minimumDetectableEffect)
    rule.minSamplePerVariant = try input.int(
      "min_sample_per_variant", default: rule.minSamplePerVariant)
    rule.maxDurationDays = try input.int("max_duration_days", default: rule.maxDurationDays)
    rule.snapshotCadenceMinutes = try input.int(
      "snapshot_cadence_minutes", default: rule.snapshotCadenceMinutes)
    return rule
  }

  /// An arm is [n, conversions] or [n, Σy, Σy²].
  private static func sample(_ arms: [[VectorAnswer]], isBinary: Bool) throws -> MetricSample {
    if isBinary {
      return .binary(
        try arms.map {
          guard $0.count == 2 else { throw VectorProblem("a binary arm is [n, conversions]") }
          return BinaryCounts(
            units: try VectorInput.int($0[0], "n"),
            conversions: try VectorInput.int($0[1], "conversions"))
        })
    }
    return .mean(
      try arms.map {
        guard $0.count == 3 else { throw VectorProblem("an arm of a mean is [n, Σy, Σy²]") }
        return UnitMoments(
          units: try VectorInput.int($0[0], "n"), sum: try VectorInput.double($0[1], "Σy"),
          sumSquares: try VectorInput.double($0[2], "Σy²"))
      })
  }

  /// Variants with a guardrail that is worse with at least the probability that violates one.
  private static func violators(_ snapshot: VectorInput) throws -> Set<Int> {
    guard let value = snapshot.value("guardrail_prob_worse") else { return [] }
    guard case .object(let byVariant) = value else {
      throw VectorProblem("guardrail_prob_worse is no object")
    }
    var violators: Set<Int> = []
    for (key, list) in byVariant {
      guard let index = Int(key) else { throw VectorProblem("no variant \(key)") }
      for probability in try VectorInput.list(list, "guardrail_prob_worse") {
        let worse = try VectorInput.double(probability, "guardrail_prob_worse")
        if Guardrail.isViolated(probWorse: worse) { violators.insert(index) }
      }
    }
    return violators
  }

  private static func pValues(_ values: [Double?], _ inputs: SnapshotInputs) -> VectorAnswer {
    guard inputs.rule.method != .posteriorThreshold else { return .null }
    return .object(
      Dictionary(
        uniqueKeysWithValues: inputs.liveTreatments.map {
          (String($0), VectorAnswer(values[$0]))
        }))
  }
}
