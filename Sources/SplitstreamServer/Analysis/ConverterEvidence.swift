import Glibc

/// The always-valid e-value of a binary metric: do the converters fall to treatment and control in
/// another share than the units do?
///
/// If converting does not depend on the arm, each converter's arm is an independent coin with the
/// weights' odds, whatever the rate is and however it drifts; so no model of the rate is needed.
enum ConverterEvidence {
  /// The converters of two arms during one set of weights.
  struct Phase: Equatable, Sendable {
    let weightControl: Int
    let weightTreatment: Int
    let convertersControl: Int
    let convertersTreatment: Int

    /// A converter's chance to be the treatment's if the arms do not differ.
    fileprivate var share: Double {
      Double(weightTreatment) / Double(weightControl + weightTreatment)
    }
    /// With one weight 0 no unit could fall to the other arm: nothing to learn.
    fileprivate var isTelling: Bool { weightControl > 0 && weightTreatment > 0 }
  }

  /// Relative lifts at which the three averaged components look, in units of the MDE: together
  /// they are not blind to effects far above it.
  private static let lifts = [1.0, 5, 25]

  /// log E, averaged over the three components after each is summed over the phases.
  static func logE(_ phases: [Phase], minimumDetectableEffect: Double) -> Double {
    let components = lifts.map { multiple in
      phases.filter(\.isTelling).reduce(0.0) { sum, phase in
        sum
          + MixtureEvidence.logE(
            counts: [phase.convertersControl, phase.convertersTreatment],
            shares: [1 - phase.share, phase.share],
            concentration: concentration(
              share: phase.share, relativeLift: multiple * minimumDetectableEffect))
      }
    }
    let largest = components.max() ?? 0
    let sum = components.reduce(0.0) { $0 + exp($1 - largest) }
    return largest + log(sum / Double(components.count))
  }

  /// The three prior strengths for one phase, for display.
  static func concentrations(_ phase: Phase, minimumDetectableEffect: Double) -> [Double] {
    lifts.map { concentration(share: phase.share, relativeLift: $0 * minimumDetectableEffect) }
  }

  /// C such that the prior's standard deviation is the shift that a relative lift causes.
  private static func concentration(share: Double, relativeLift: Double) -> Double {
    let variance = share * (1 - share)
    return min(max(1 / (variance * relativeLift * relativeLift) - 1, 10), 1e7)
  }
}
