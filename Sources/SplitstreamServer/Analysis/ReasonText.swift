/// Why an experiment is not decided yet, in words and numbers.
struct ReasonText {
  let inputs: SnapshotInputs
  let probBest: [Double?]
  let evidence: RuleEvidence
  let violations: [DecisionResult.Violation]

  func detail(_ obstacle: Decision.Obstacle) -> String {
    switch obstacle {
    case .minSampleNotReached: minSample
    case .evidenceBelowThreshold: evidenceBelow
    case .srmWarning:
      "the units do not fall to the variants as their weights say; find the cause before "
        + "trusting any number"
    case .guardrailViolated: guardrail
    }
  }

  private var minSample: String {
    let missing = inputs.live.compactMap { index -> String? in
      let units = inputs.rule.minSamplePerVariant - inputs.units[index]
      return units > 0
        ? "\(Self.grouped(units)) more \(units == 1 ? "unit" : "units") in "
          + inputs.variants[index].key : nil
    }
    return "needs " + missing.joined(separator: ", ")
  }

  private var evidenceBelow: String {
    guard !inputs.metrics.isEmpty else { return "no primary metric" }
    let threshold = inputs.rule.posteriorThreshold
    guard inputs.rule.method == .posteriorThreshold else {
      let smallest = evidence.holmP.compactMap { $0 }.min() ?? 1
      return "the smallest p-value, corrected for the number of treatments, is "
        + "\(Self.decimal(smallest, roundedUp: true)); the rule asks for "
        + "\(Self.decimal(1 - threshold, roundedUp: false)) or less"
    }
    guard let leader = PosteriorRule.leader(probBest, preferred: inputs.control),
      let probability = probBest[leader]
    else { return "no variant has a weight above 0" }
    return "\(inputs.variants[leader].key) is the best with probability "
      + "\(Self.decimal(probability, roundedUp: false)); the rule asks for "
      + Self.decimal(threshold, roundedUp: false)
  }

  private var guardrail: String {
    let winner = evidence.candidate.map { inputs.variants[$0].key }
    return violations.filter { $0.variantKey == winner }.map {
      "\($0.variantKey) is worse than the control on \($0.metricKey) with probability "
        + Self.decimal($0.probWorse, roundedUp: false)
    }.joined(separator: "; ")
  }

  /// 12400 as 12,400.
  private static func grouped(_ number: Int) -> String {
    let digits = String(number)
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { result += "," }
      result.append(digit)
    }
    return result
  }

  /// Four decimals, rounded to the side that does not feign that a limit is passed.
  private static func decimal(_ probability: Double, roundedUp: Bool) -> String {
    // A threshold such as 0.995 is not exactly a double; a hair must not cost it a digit.
    let scaled = probability * 10_000
    let units = Int((roundedUp ? (scaled - 1e-6).rounded(.up) : (scaled + 1e-6).rounded(.down)))
    let decimals = String(units % 10_000)
    return "\(units / 10_000)." + String(repeating: "0", count: 4 - decimals.count) + decimals
  }
}
