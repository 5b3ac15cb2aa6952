import Glibc

/// The difference of two arms' estimates and its variance, as both sequential tests take it.
struct ArmDifference: Equatable, Sendable {
  /// treatment − control.
  let difference: Double
  /// s_t²/n_t + s_c²/n_c.
  let variance: Double
  /// Of both arms together.
  let units: Double
  /// The mean of both arms together, at this snapshot.
  let pooledMean: Double

  init(difference: Double, variance: Double, units: Double, pooledMean: Double = 0) {
    self.difference = difference
    self.variance = variance
    self.units = units
    self.pooledMean = pooledMean
  }

  /// Nil with fewer than `unitsMin` units in an arm: 2 for means, 1 for rates.
  init?(_ treatment: UnitMoments, _ control: UnitMoments, unitsMin: Int) {
    guard min(treatment.units, control.units) >= unitsMin else { return nil }
    let (nt, nc) = (Double(treatment.units), Double(control.units))
    self.init(
      difference: treatment.mean - control.mean,
      variance: treatment.variance / nt + control.variance / nc, units: nt + nc,
      pooledMean: (nc * control.mean + nt * treatment.mean) / (nc + nt))
  }
}

/// What an always-valid test of one difference says at one moment.
struct ConfidenceSequence: Equatable, Sendable {
  /// Evidence against equal arms, natural logarithm.
  let logE: Double
  /// Holds at all moments together with probability 1 − α; nil where there is nothing to say.
  let interval: Interval?

  var pValue: Double { Self.pValue(logE: logE) }

  /// min(1, 1/E).
  static func pValue(logE: Double) -> Double { min(1, exp(-logE)) }

  private static let silent = ConfidenceSequence(logE: 0, interval: nil)

  init(logE: Double, interval: Interval?) {
    self.logE = logE
    self.interval = interval
  }

  /// The asymptotic confidence sequence of §6.2, for metrics that are not binary.
  ///
  /// - Parameters:
  ///   - alpha: 1 − posterior threshold.
  ///   - unitsTuned: N*, where the sequence is narrowest.
  /// - Source: Robbins 1970; Waudby-Smith et al. 2024.
  static func asymptotic(_ pair: ArmDifference?, alpha: Double, unitsTuned: Double)
    -> ConfidenceSequence
  {
    guard let pair, pair.variance > 0 else { return silent }
    let (v, d) = (pair.variance, pair.difference)
    let rhoSquared = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / unitsTuned
    let r = pair.units * rhoSquared
    let logE = r * d * d / (2 * v * (1 + r)) - 0.5 * log1p(r)
    let margin = (2 * v * (1 + r) / r * (0.5 * log1p(r) - log(alpha))).squareRoot()
    return ConfidenceSequence(logE: logE, interval: Interval(lower: d - margin, upper: d + margin))
  }

  /// N* of §6.2 for a rule.
  static func unitsTuned(minSamplePerVariant: Int) -> Double {
    max(5000, 2 * Double(minSamplePerVariant))
  }

  /// The mixture sequential probability ratio test of §6.3, normal mixture N(0, τ²).
  ///
  /// - Source: Johari, Koomen, Pekelis & Walsh 2022.
  static func msprt(_ pair: ArmDifference?, minimumDetectableEffect: Double, alpha: Double)
    -> ConfidenceSequence
  {
    guard let pair else { return silent }
    let tau = tau(pair, minimumDetectableEffect: minimumDetectableEffect)
    guard pair.variance > 0, tau > 0 else { return silent }
    let (v, d, t) = (pair.variance, pair.difference, tau * tau)
    // In ratios: the products of amounts of 10⁶⁰ would overflow, those of 10⁻⁶⁰ vanish.
    let z = d / v.squareRoot()
    let logE = t / (v + t) * z * z / 2 - 0.5 * log1p(t / v)
    let margin = (2 * v * (1 + v / t) * (-log(alpha) + 0.5 * log1p(t / v))).squareRoot()
    return ConfidenceSequence(logE: logE, interval: Interval(lower: d - margin, upper: d + margin))
  }

  /// τ: the effect hoped for, in units of the metric.
  static func tau(_ pair: ArmDifference, minimumDetectableEffect: Double) -> Double {
    minimumDetectableEffect * abs(pair.pooledMean)
  }
}
