/// What the evidence says under the rule's method, before any veto.
struct RuleEvidence: Equatable, Sendable {
  /// The variant that the evidence names.
  let candidate: Int?
  /// The p-value process of each live treatment against the control, and its Holm correction.
  let runningP: [Double?]
  let holmP: [Double?]

  /// - Parameter probBest: of the primary metric, nil for variants of weight 0.
  init(_ inputs: SnapshotInputs, probBest: [Double?]) {
    let none: [Double?] = inputs.variants.map { _ in nil }
    guard inputs.rule.method != .posteriorThreshold, let primary = inputs.metrics.first else {
      candidate = PosteriorRule.winner(
        probBest: probBest, control: inputs.control, threshold: inputs.rule.posteriorThreshold)
      (runningP, holmP) = (none, none)
      return
    }
    let pairs = SequentialTests(inputs, primary)
    (runningP, holmP) = (pairs.runningP, pairs.holmP)
    candidate = pairs.winner
  }
}
