/// What to do after a fixed-horizon comparison of two arms, and how sure that is.
struct FixedHorizonAdvice: Equatable, Sendable {
  enum Confidence: String, Sendable { case high, medium, low }

  let recommendation: Recommendation
  let confidence: Confidence

  /// - Parameters:
  ///   - unitsMin: of the smaller arm.
  ///   - level: e.g. 0.95.
  ///   - lift: its sign says which arm is better.
  ///   - probMeaningful: P(lift ≥ MDE).
  init(
    unitsMin: Int, minimumSample: Int, pValue: Double, probBetter: Double, lift: Double,
    probMeaningful: Double, level: Double = 0.95, srmWarning: Bool = false,
    guardrailViolated: Bool = false
  ) {
    let isEnough = unitsMin >= minimumSample
    let isSignificant = pValue < 1 - level
    if srmWarning || guardrailViolated {
      recommendation = .investigate
    } else if !isEnough {
      recommendation = .continue
    } else if isSignificant && lift > 0 && probBetter >= level {
      recommendation = .launch
    } else if isSignificant && lift < 0 || Recommendation.isFutile(probMeaningful) {
      recommendation = .stop
    } else {
      recommendation = .continue
    }

    let certainty = max(probBetter, 1 - probBetter)
    if !isEnough && recommendation == .continue {
      confidence = .low
    } else if certainty >= 0.975 && isEnough {
      confidence = .high
    } else {
      confidence = certainty >= 0.9 ? .medium : .low
    }
  }
}
