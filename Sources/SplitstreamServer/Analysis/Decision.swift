/// What the decision rule makes of one snapshot: variants by their index.
struct Decision: Equatable, Sendable {
  enum Outcome: String, Sendable {
    /// A treatment wins.
    case won
    /// The control wins.
    case lost
    /// The horizon is reached without a winner.
    case inconclusive
    case `continue`
  }

  /// Why the rule is not satisfied.
  enum Obstacle: String, CaseIterable, Sendable {
    case minSampleNotReached = "min_sample_not_reached"
    case evidenceBelowThreshold = "evidence_below_threshold"
    case srmWarning = "srm_warning"
    case guardrailViolated = "guardrail_violated"
  }

  /// Nil unless the rule is satisfied.
  let winner: Int?
  let outcome: Outcome
  let obstacles: [Obstacle]

  var isSatisfied: Bool { winner != nil }

  /// - Parameters:
  ///   - candidate: the variant that the evidence alone names.
  ///   - violators: variants that violate a guardrail; they stop a treatment, never the control.
  init(
    candidate: Int?, control: Int, isEnough: Bool, srmWarning: Bool, violators: Set<Int>,
    horizonReached: Bool
  ) {
    var obstacles: [Obstacle] = []
    if !isEnough { obstacles.append(.minSampleNotReached) }
    if candidate == nil { obstacles.append(.evidenceBelowThreshold) }
    if srmWarning { obstacles.append(.srmWarning) }
    if let candidate, candidate != control, violators.contains(candidate) {
      obstacles.append(.guardrailViolated)
    }
    self.obstacles = obstacles
    winner = obstacles.isEmpty ? candidate : nil
    if let winner {
      outcome = winner == control ? .lost : .won
    } else {
      outcome = horizonReached ? .inconclusive : .continue
    }
  }
}

/// A metric that a treatment must not spoil.
enum Guardrail {
  private static let threshold = 0.95

  /// P(worse than the control) is so large that a treatment may not win.
  static func isViolated(probWorse: Double) -> Bool { probWorse >= threshold }
}

/// The published rule: the most probably best arm wins at the threshold.
enum PosteriorRule {
  /// Closer than this, two probabilities are equal and a threshold is reached: well above the
  /// error of the quadrature, well below any difference that matters.
  private static let resolution = 1e-10

  /// - Parameter probBest: nil for arms of weight 0.
  static func winner(probBest: [Double?], control: Int, threshold: Double) -> Int? {
    guard let best = leader(probBest, preferred: control),
      let probability = probBest[best], probability >= threshold - resolution
    else { return nil }
    return best
  }

  /// The arm with the largest probability; ties go to `preferred`, then to the lower index.
  static func leader(_ probBest: [Double?], preferred: Int? = nil) -> Int? {
    guard let largest = probBest.compactMap({ $0 }).max() else { return nil }
    let tied = probBest.indices.filter { (probBest[$0] ?? -1) >= largest - resolution }
    return tied.first { $0 == preferred } ?? tied.first
  }
}
