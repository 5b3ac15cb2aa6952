import Glibc

/// The two arms of a fixed-horizon comparison tested once, at the planned end.
struct FixedHorizonTest: Equatable, Sendable {
  /// treatment − control.
  let difference: Double
  /// Of the difference, as the p-value uses it; 0 when nothing varies.
  let standardError: Double
  /// t or z.
  let statistic: Double
  /// Nil for z.
  let degreesOfFreedom: Double?
  /// Two-sided.
  let pValue: Double
  let interval: Interval
  /// difference / control's estimate; nil when that is 0.
  let relativeLift: Double?
  let relativeStandardError: Double?
  let relativeInterval: Interval?

  /// Welch's t-test of two means; nil with fewer than two units in an arm, or when neither varies.
  ///
  /// - Source: Welch 1947.
  static func welch(treatment: UnitMoments, control: UnitMoments, level: Double = 0.95)
    -> FixedHorizonTest?
  {
    guard min(treatment.units, control.units) >= 2 else { return nil }
    let (nt, nc) = (Double(treatment.units), Double(control.units))
    let (a, b) = (control.variance / nc, treatment.variance / nt)
    guard a + b > 0 else { return nil }
    // Shares of the variance: their squares neither overflow nor vanish.
    let (shareA, shareB) = (a / (a + b), b / (a + b))
    let degrees = 1 / (shareA * shareA / (nc - 1) + shareB * shareB / (nt - 1))
    let table = PosteriorTable(student: degrees)
    let error = (a + b).squareRoot()
    let difference = treatment.mean - control.mean
    let t = difference / error
    let quantile = table.quantile((1 + level) / 2)
    return FixedHorizonTest(
      difference: difference, standardError: error, statistic: t, degreesOfFreedom: degrees,
      pValue: min(1, 2 * table.tails(at: abs(t)).above),
      interval: Interval(around: difference, margin: quantile * error),
      relative: RelativeLift(
        treatment: treatment.mean, control: control.mean, varianceTreatment: b,
        varianceControl: a),
      quantile: quantile)
  }

  /// The z-test of two proportions, p from the pooled variance, Newcombe's interval (method 10),
  /// which exists at 0 and 1 too; nil without units in an arm.
  ///
  /// - Source: Newcombe 1998.
  static func proportions(treatment: BinaryCounts, control: BinaryCounts, level: Double = 0.95)
    -> FixedHorizonTest?
  {
    guard min(treatment.units, control.units) >= 1 else { return nil }
    let (nt, nc) = (Double(treatment.units), Double(control.units))
    let (pt, pc) = (treatment.rate, control.rate)
    let pooled = Double(treatment.conversions + control.conversions) / (nt + nc)
    let error = (pooled * (1 - pooled) * (1 / nt + 1 / nc)).squareRoot()
    let difference = pt - pc
    let z = error == 0 ? 0 : difference / error
    let quantile = NormalDistribution.quantile((1 + level) / 2)
    let (wilsonT, wilsonC) = (wilson(pt, nt, quantile), wilson(pc, nc, quantile))
    return FixedHorizonTest(
      difference: difference, standardError: error, statistic: z, degreesOfFreedom: nil,
      pValue: NormalDistribution.twoSided(z),
      interval: Interval(
        lower: difference - hypot(pt - wilsonT.lower, wilsonC.upper - pc),
        upper: difference + hypot(wilsonT.upper - pt, pc - wilsonC.lower)),
      relative: RelativeLift(
        treatment: pt, control: pc, varianceTreatment: pt * (1 - pt) / nt,
        varianceControl: pc * (1 - pc) / nc),
      quantile: quantile)
  }

  /// Which way a one-sided test looks.
  enum Direction: Sendable { case greater, less }

  /// The one-sided p-value: half of the two-sided one, or its complement, by the difference's sign.
  func pValue(_ direction: Direction) -> Double {
    let isAsClaimed = direction == .greater ? difference > 0 : difference < 0
    return isAsClaimed ? pValue / 2 : 1 - pValue / 2
  }

  /// Wilson's score interval of one proportion.
  static func wilson(_ p: Double, _ n: Double, _ z: Double) -> Interval {
    let (scale, centre) = (1 + z * z / n, p + z * z / (2 * n))
    let margin = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return Interval(
      lower: max(0, (centre - margin) / scale), upper: min(1, (centre + margin) / scale))
  }
}

extension FixedHorizonTest {
  fileprivate init(
    difference: Double, standardError: Double, statistic: Double, degreesOfFreedom: Double?,
    pValue: Double, interval: Interval, relative: RelativeLift?, quantile: Double
  ) {
    self.init(
      difference: difference, standardError: standardError, statistic: statistic,
      degreesOfFreedom: degreesOfFreedom, pValue: pValue, interval: interval,
      relativeLift: relative?.lift, relativeStandardError: relative?.standardError,
      relativeInterval: relative.map {
        Interval(around: $0.lift, margin: quantile * $0.standardError)
      })
  }
}

/// The lift in units of the control's level, its error by the delta method.
private struct RelativeLift {
  let lift: Double
  let standardError: Double

  /// - Parameters: the arms' estimates and the variances of these estimates.
  init?(treatment: Double, control: Double, varianceTreatment: Double, varianceControl: Double) {
    guard control != 0 else { return nil }
    lift = (treatment - control) / control
    let ratio = treatment / control
    standardError =
      (varianceTreatment + varianceControl * ratio * ratio).squareRoot() / abs(control)
  }
}

extension Interval {
  init(around middle: Double, margin: Double) {
    self.init(lower: middle - margin, upper: middle + margin)
  }
}
