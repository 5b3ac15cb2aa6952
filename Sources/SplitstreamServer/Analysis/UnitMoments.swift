import Glibc

/// The per-unit values of one arm: how many, their mean and their unbiased variance.
struct UnitMoments: Equatable, Sendable {
  let units: Int
  let mean: Double
  /// 0 with fewer than two units.
  let variance: Double
  /// Units with at least one event.
  let conversions: Int

  init(units: Int, mean: Double, variance: Double, conversions: Int = 0) {
    precondition(units >= 0 && variance >= 0, "counts and variances are not negative")
    self.units = units
    self.mean = units == 0 ? 0 : mean
    self.variance = units < 2 ? 0 : variance
    self.conversions = conversions
  }

  init(units: Int, sum: Double, sumSquares: Double, conversions: Int = 0) {
    let n = Double(units)
    self.init(
      units: units, mean: units == 0 ? 0 : sum / n,
      variance: units < 2 ? 0 : max(0, Self.centred(sumSquares, sum, sum, n) / (n - 1)),
      conversions: conversions)
  }

  /// Σxy − ΣxΣy/n; the product and the quotient are kept exact, as their difference may be small.
  static func centred(_ sumProducts: Double, _ sumX: Double, _ sumY: Double, _ n: Double)
    -> Double
  {
    let product = sumX * sumY
    let productRest = fma(sumX, sumY, -product)
    let quotient = product / n
    let quotientRest = fma(-quotient, n, product)
    return (sumProducts - quotient) - (quotientRest + productRest) / n
  }
}

/// The per-unit pairs (Σ of values, number of events) of one arm; its metric is ΣS / ΣC.
struct RatioMoments: Equatable, Sendable {
  let units: Int
  /// ΣS/ΣC, 0 without events.
  let ratio: Double
  /// Of the ratio, per unit, by the delta method.
  let variance: Double
  let conversions: Int
  /// Without any event an arm says nothing of the ratio and enters as one without units.
  let hasEvents: Bool

  /// Σ(S − S̄)², Σ(C − C̄)² and Σ(S − S̄)(C − C̄) over the units.
  struct Spreads {
    let sums: Double
    let counts: Double
    let products: Double
  }

  /// - Parameters: sums over the units of S, C, S², C² and S·C.
  init(
    units: Int, sum: Double, count: Double, sumSquares: Double, countSquares: Double,
    sumCountProducts: Double, conversions: Int = 0
  ) {
    let n = Double(units)
    self.init(
      units: units, sum: sum, count: count,
      spreads: Spreads(
        sums: UnitMoments.centred(sumSquares, sum, sum, n),
        counts: UnitMoments.centred(countSquares, count, count, n),
        products: UnitMoments.centred(sumCountProducts, sum, count, n)),
      conversions: conversions)
  }

  /// - Parameters: sums over the units of S and C.
  /// - Source: Deng, Knoblich & Lu 2018.
  init(units: Int, sum: Double, count: Double, spreads: Spreads, conversions: Int = 0) {
    self.units = units
    self.conversions = conversions
    hasEvents = units > 0 && count > 0
    ratio = hasEvents ? sum / count : 0
    guard hasEvents, units > 1 else {
      variance = 0
      return
    }
    let n = Double(units)
    let covariance = spreads.products / (n - 1)
    let varianceS = spreads.sums / (n - 1)
    let varianceC = spreads.counts / (n - 1)
    let meanCount = count / n
    variance = max(
      0,
      (varianceS - 2 * ratio * covariance + ratio * ratio * varianceC) / (meanCount * meanCount))
  }

  /// As the posterior of a mean takes it.
  var moments: UnitMoments {
    UnitMoments(units: hasEvents ? units : 0, mean: ratio, variance: variance)
  }
}
