import Glibc

extension ArmPosterior {
  /// The posteriors of the arms' means, with the pooled sample as a prior of one unit.
  ///
  /// Student's t with 3 + n degrees of freedom, from the conjugate normal / scaled-inverse-χ²
  /// model: defined for every n, robust for large n, and free of constants in the metric's units.
  ///
  /// - Parameter arms: all arms of the analysis; the prior is theirs together.
  /// - Source: Gelman et al., *Bayesian Data Analysis*, 3rd ed., §3.3.
  static func ofMeans(_ arms: [UnitMoments]) -> [ArmPosterior] {
    let total = arms.reduce(0.0) { $0 + Double($1.units) }
    let pooledMean = total == 0 ? 0 : arms.reduce(0) { $0 + Double($1.units) * $1.mean } / total
    let squares = arms.reduce(0.0) { sum, arm in
      let (n, gap) = (Double(arm.units), arm.mean - pooledMean)
      return sum + max(0, n - 1) * arm.variance + n * gap * gap
    }
    let pooledVariance = total < 2 ? 0 : squares / (total - 1)
    // Below this the scales would underflow; it stands for 0.
    guard pooledVariance > 1e-280 else {
      return arms.map { _ in ArmPosterior(pointMassAt: pooledMean) }
    }
    return arms.map { arm in
      let n = Double(arm.units)
      let gap = n == 0 ? 0 : arm.mean - pooledMean
      let (kappa, nu) = (1 + n, 3 + n)
      let spread = 3 * pooledVariance + max(0, n - 1) * arm.variance + n / kappa * gap * gap
      let table = PosteriorTable(
        student: nu, centre: n / kappa * gap, width: (spread / nu / kappa).squareRoot())
      return ArmPosterior(
        mean: pooledMean + n / kappa * gap, scale: .linear(origin: pooledMean), table: table)
    }
  }
}

extension PosteriorTable {
  /// Student's t around `centre`, `width` its scale.
  init(student degrees: Double, centre: Double = 0, width: Double = 1) {
    self.init(centre: centre, step: width) { distance in
      let z = distance / width
      return -(degrees + 1) / 2 * log1p(z * z / degrees)
    }
  }
}
