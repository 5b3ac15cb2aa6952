/// What the units of one metric did, per variant in the variants' order: all that the analysis
/// needs.
enum MetricSample: Equatable, Sendable {
  /// Kind binary.
  case binary([BinaryCounts])
  /// Kinds count, revenue and duration with aggregation count or sum.
  case mean([UnitMoments])
  /// The same kinds with aggregation mean.
  case ratio([RatioMoments])

  var posteriors: [ArmPosterior] {
    switch self {
    case .binary(let arms): arms.map { ArmPosterior($0) }
    case .mean(let arms): ArmPosterior.ofMeans(arms)
    case .ratio(let arms): ArmPosterior.ofMeans(arms.map(\.moments))
    }
  }

  /// Units in the sample, also those without events.
  var units: [Int] {
    switch self {
    case .binary(let arms): arms.map(\.units)
    case .mean(let arms): arms.map(\.units)
    case .ratio(let arms): arms.map(\.units)
    }
  }

  /// Units with at least one event that counts.
  var conversions: [Int] {
    switch self {
    case .binary(let arms): arms.map(\.conversions)
    case .mean(let arms): arms.map(\.conversions)
    case .ratio(let arms): arms.map(\.conversions)
    }
  }

  /// The raw estimates: k/n, ȳ or ΣS/ΣC; 0 where there is nothing to divide by.
  var estimates: [Double] {
    switch self {
    case .binary(let arms): arms.map(\.rate)
    case .mean(let arms): arms.map(\.mean)
    case .ratio(let arms): arms.map(\.ratio)
    }
  }

  /// Mean and variance per unit, as the sequential tests of two arms take them: p(1 − p), without
  /// n − 1, for rates.
  var moments: [UnitMoments] {
    switch self {
    case .binary(let arms):
      arms.map {
        UnitMoments(units: $0.units, mean: $0.rate, variance: $0.rate * (1 - $0.rate))
      }
    case .mean(let arms): arms
    case .ratio(let arms): arms.map(\.moments)
    }
  }
}
