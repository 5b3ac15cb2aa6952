import Glibc

/// What an experiment is planned with: the metric's level now, and how the units are shared out.
///
/// The usual normal model (Fleiss, Levin & Paik 2003), two-sided, α shared among treatments.
struct Planning: Equatable, Sendable {
  enum Kind: Equatable, Sendable {
    /// The baseline is a rate.
    case binary
    case mean(standardDeviation: Double)
  }

  let kind: Kind
  let baseline: Double
  var alpha = 0.05
  var power = 0.8

  /// More units than this are no plan, and no whole number a double can hold.
  private static let unitsMax = 1e15
}

/// The units that an experiment needs.
struct SampleSize: Equatable, Sendable {
  /// Before rounding.
  let real: Double
  let total: Int
  let perVariant: [Int]
}

extension Planning {
  /// Units needed to see a relative effect; nil where the effect is none, its
  /// rate impossible, or no number of units is enough.
  ///
  /// - Parameter weights: of the variants, the first the control; those of weight 0 take no part.
  func sampleSize(relativeEffect: Double, weights: [Int], control: Int = 0) -> SampleSize? {
    let totalWeight = Double(weights.reduce(0, +))
    let shares = weights.map { Double($0) / totalWeight }
    let treatments = weights.indices.filter { $0 != control && weights[$0] > 0 }
    let delta = abs(baseline * relativeEffect)
    guard weights[control] > 0, !treatments.isEmpty, delta > 0, isPossible(relativeEffect) else {
      return nil
    }
    let z = -NormalDistribution.quantile(alpha / Double(treatments.count) / 2)
    let zPower = NormalDistribution.quantile(power)
    let needed = treatments.map { index -> Double in
      let errors = errors(relativeEffect, unitsControl: shares[control], units: shares[index])
      let ratio = (z * errors.alike + zPower * errors.different) / delta
      return ratio * ratio
    }
    let real = needed.max() ?? 0
    guard real < Self.unitsMax else { return nil }
    let perVariant = shares.map { Int((real * $0).rounded(.up)) }
    return SampleSize(real: real, total: perVariant.reduce(0, +), perVariant: perVariant)
  }

  /// The probability of seeing a relative effect with so many units; nil where it is impossible.
  func power(relativeEffect: Double, unitsControl: Double, unitsTreatment: Double) -> Double? {
    guard isPossible(relativeEffect), unitsControl > 0, unitsTreatment > 0 else { return nil }
    let delta = abs(baseline * relativeEffect)
    let errors = errors(relativeEffect, unitsControl: unitsControl, units: unitsTreatment)
    let limit = -NormalDistribution.quantile(alpha / 2) * errors.alike
    return NormalDistribution.below((delta - limit) / errors.different)
      + NormalDistribution.below((-delta - limit) / errors.different)
  }

  /// The smallest positive relative effect that is seen with the power asked for; nil where even a
  /// rate of 1 would not be.
  func minimumDetectableEffect(unitsControl: Double, unitsTreatment: Double) -> Double? {
    func excess(_ effect: Double) -> Double? {
      power(
        relativeEffect: effect, unitsControl: unitsControl, unitsTreatment: unitsTreatment
      ).map { $0 - power }
    }
    guard baseline != 0 else { return nil }
    var (low, high) = (0.0, 1.0)
    if kind == .binary {
      high = (1 - baseline) / baseline * (1 - 1e-12)
      guard let most = excess(high), most >= 0 else { return nil }
    } else {
      while let reached = excess(high), reached < 0, high < 1e300 { high *= 2 }
    }
    // Bisection to the last bit: planning is not in a hurry.
    for _ in 0..<200 {
      let middle = (low + high) / 2
      guard let at = excess(middle) else { return nil }
      if at < 0 { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  /// Whole days until `total` units have come; nil when none ever come.
  static func days(total: Int, dailyUnits: Double, audienceShare: Double = 1) -> Int? {
    let daily = dailyUnits * audienceShare
    guard daily > 0 else { return nil }
    let days = Double(total) / daily
    // 36,000 / (0.6 · 10,000) must be 6, whatever the last bit says.
    return Int(exactly: (days * (1 - 1e-12)).rounded(.up))
  }

  /// Both rates lie inside (0, 1); every mean does.
  private func isPossible(_ relativeEffect: Double) -> Bool {
    guard kind == .binary else { return true }
    let rate = baseline * (1 + relativeEffect)
    return baseline > 0 && baseline < 1 && rate > 0 && rate < 1
  }

  /// Standard errors of the difference if the arms are alike and if they differ by the effect.
  private func errors(_ relativeEffect: Double, unitsControl: Double, units: Double) -> (
    alike: Double, different: Double
  ) {
    let inverse = 1 / unitsControl + 1 / units
    switch kind {
    case .mean(let deviation):
      return (deviation * inverse.squareRoot(), deviation * inverse.squareRoot())
    case .binary:
      let rate = baseline * (1 + relativeEffect)
      let pooled = (unitsControl * baseline + units * rate) / (unitsControl + units)
      return (
        (pooled * (1 - pooled) * inverse).squareRoot(),
        (baseline * (1 - baseline) / unitsControl + rate * (1 - rate) / units).squareRoot()
      )
    }
  }
}
