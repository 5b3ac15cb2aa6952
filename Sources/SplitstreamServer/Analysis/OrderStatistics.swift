import Glibc

/// A quantile of the per-unit values of one arm.
///
/// - Source: Deng, Knoblich & Lu 2018.
struct QuantileEstimate: Equatable, Sendable {
  let estimate: Double
  /// Nil when it would need a value beyond the smallest or the largest.
  let interval: Interval?
  let standardError: Double?

  /// Nil without values.
  init?(_ values: [Double], quantile: Double, level: Double = 0.95) {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let n = Double(sorted.count)
    estimate = sorted[OrderStatistics.rank(quantile, of: sorted.count) - 1]
    let z = NormalDistribution.quantile((1 + level) / 2)
    let half = z * (n * quantile * (1 - quantile)).squareRoot()
    let lower = Int((n * quantile - half).rounded(.down))
    let upper = Int((n * quantile + half).rounded(.up)) + 1
    guard lower >= 1, upper <= sorted.count else {
      (interval, standardError) = (nil, nil)
      return
    }
    let ends = Interval(lower: sorted[lower - 1], upper: sorted[upper - 1])
    interval = ends
    standardError = (ends.upper - ends.lower) / (2 * z)
  }
}

/// Values cut at a quantile of all arms together: a few huge ones would drown every difference.
struct Winsorisation: Equatable, Sendable {
  /// Nil without values.
  let cap: Double?
  let arms: [[Double]]

  /// - Parameter ignoreZeros: the cap is a quantile of the other values only.
  init(_ arms: [[Double]], quantile: Double, ignoreZeros: Bool = false) {
    let pooled = arms.joined().filter { !ignoreZeros || $0 != 0 }.sorted()
    guard !pooled.isEmpty else {
      cap = nil
      self.arms = arms
      return
    }
    let cap = pooled[OrderStatistics.rank(quantile, of: pooled.count) - 1]
    self.cap = cap
    self.arms = arms.map { $0.map { min($0, cap) } }
  }
}

private enum OrderStatistics {
  /// ⌈n·q⌉ within 1 … n. A product such as 100 · 0.07 = 7.000000000000001 means 7.
  static func rank(_ quantile: Double, of count: Int) -> Int {
    let rank = (Double(count) * quantile - 1e-9).rounded(.up)
    return min(max(Int(rank), 1), count)
  }
}
