/// Variance reduction by what was known of the units before the experiment.
///
/// The covariate is the same metric's value before exposure, 0 for units without one.
///
/// - Source: Deng, Xu, Kohavi & Walker 2013.
struct Cuped: Equatable, Sendable {
  /// Sums over the units of one arm: y the metric, x the covariate.
  struct Sums: Equatable, Sendable {
    let units: Int
    let y: Double
    let yy: Double
    let x: Double
    let xx: Double
    let xy: Double
  }

  /// One arm before and after the adjustment.
  struct Arm: Equatable, Sendable {
    /// A relative lift divides by this mean, the control's.
    let raw: UnitMoments
    /// What posteriors and tests take.
    let adjusted: UnitMoments
    /// 1 − adjusted / raw variance; nil when the raw variance is 0.
    let varianceReduction: Double?
  }

  /// Cov(Y, X) / Var(X) over all arms as one sample; 0 when X does not vary.
  let theta: Double
  let arms: [Arm]

  init(_ sums: [Sums]) {
    let total = sums.reduce(0.0) { $0 + Double($1.units) }
    let x = sums.reduce(0) { $0 + $1.x }
    let y = sums.reduce(0) { $0 + $1.y }
    func centred(_ products: Double, _ sumX: Double, _ sumY: Double, _ n: Double) -> Double {
      n == 0 ? 0 : UnitMoments.centred(products, sumX, sumY, n)
    }
    let xx = centred(sums.reduce(0) { $0 + $1.xx }, x, x, total)
    let xy = centred(sums.reduce(0) { $0 + $1.xy }, x, y, total)
    let theta = xx > 0 ? xy / xx : 0
    self.theta = theta

    arms = sums.map { arm in
      let n = Double(arm.units)
      let raw = UnitMoments(units: arm.units, sum: arm.y, sumSquares: arm.yy)
      let covariate = UnitMoments(units: arm.units, sum: arm.x, sumSquares: arm.xx)
      let covariance = arm.units < 2 ? 0 : centred(arm.xy, arm.x, arm.y, n) / (n - 1)
      let variance = max(
        0, raw.variance + theta * (theta * covariate.variance - 2 * covariance))
      let meanX = total == 0 ? 0 : x / total
      return Arm(
        raw: raw,
        adjusted: UnitMoments(
          units: arm.units, mean: raw.mean - theta * (covariate.mean - meanX),
          variance: variance),
        varianceReduction: raw.variance > 0 ? 1 - variance / raw.variance : nil)
    }
  }
}
