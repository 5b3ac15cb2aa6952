/// The difference of two arms, compared within strata that were known before.
///
/// - Source: Miratrix, Sekhon & Yu 2013.
struct PostStratification: Equatable, Sendable {
  struct Stratum: Equatable, Sendable {
    let control: UnitMoments
    let treatment: UnitMoments

    fileprivate var units: Int { control.units + treatment.units }
    fileprivate var isUsable: Bool { min(control.units, treatment.units) >= 2 }
    fileprivate func merged(with other: Stratum) -> Stratum {
      Stratum(
        control: control.merged(with: other.control),
        treatment: treatment.merged(with: other.treatment))
    }
  }

  /// treatment − control.
  let difference: Double
  let standardError: Double
  let z: Double
  let pValue: Double
  let interval: Interval
  /// After merging.
  let strataUsed: Int

  /// Nil when no stratum is usable, or nothing varies.
  init?(_ strata: [Stratum], level: Double = 0.95) {
    let strata = Self.merged(strata)
    guard !strata.isEmpty else { return nil }
    let total = strata.reduce(0.0) { $0 + Double($1.units) }
    var (difference, variance) = (0.0, 0.0)
    for stratum in strata {
      let (share, control, treatment) = (
        Double(stratum.units) / total, stratum.control, stratum.treatment
      )
      difference += share * (treatment.mean - control.mean)
      variance +=
        share * share
        * (treatment.variance / Double(treatment.units) + control.variance / Double(control.units))
    }
    guard variance > 0 else { return nil }
    self.difference = difference
    standardError = variance.squareRoot()
    z = difference / standardError
    pValue = NormalDistribution.twoSided(z)
    interval = Interval(
      around: difference, margin: NormalDistribution.quantile((1 + level) / 2) * standardError)
    strataUsed = strata.count
  }

  /// Strata with an arm of fewer than two units become one rest; a rest still too thin joins the
  /// largest stratum.
  private static func merged(_ strata: [Stratum]) -> [Stratum] {
    var usable = strata.filter(\.isUsable)
    let thin = strata.filter { !$0.isUsable }
    guard let first = thin.first else { return usable }
    let rest = thin.dropFirst().reduce(first) { $0.merged(with: $1) }
    if rest.isUsable { return usable + [rest] }
    let units = usable.map(\.units)
    if let largest = units.max().flatMap({ units.firstIndex(of: $0) }) {
      usable[largest] = usable[largest].merged(with: rest)
    }
    return usable
  }
}

extension UnitMoments {
  /// The moments of both samples together.
  ///
  /// - Source: Chan, Golub & LeVeque 1983.
  func merged(with other: UnitMoments) -> UnitMoments {
    let (n, m) = (Double(units), Double(other.units))
    guard n + m > 0 else { return self }
    let gap = other.mean - mean
    let squares =
      max(0, n - 1) * variance + max(0, m - 1) * other.variance + gap * gap * n * m / (n + m)
    return UnitMoments(
      units: units + other.units, mean: mean + gap * m / (n + m),
      variance: n + m < 2 ? 0 : squares / (n + m - 1),
      conversions: conversions + other.conversions)
  }
}
