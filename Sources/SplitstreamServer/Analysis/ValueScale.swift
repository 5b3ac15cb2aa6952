import Glibc

/// How the values of a metric lie on the coordinate over which its posteriors are integrated.
///
/// Rates are integrated over their log-odds: there 1e-9 and 1 − 1e-9 are resolved alike, and the
/// densities have no border. Other values are integrated over their distance from an origin near
/// them, so that a small spread around a large mean loses no digits.
enum ValueScale: Equatable, Sendable {
  case logOdds
  case linear(origin: Double)

  /// The value at a coordinate.
  func value(at coordinate: Double) -> Double {
    switch self {
    case .logOdds: Self.rate(coordinate)
    case .linear(let origin): origin + coordinate
    }
  }

  /// d value / d coordinate.
  func slope(at coordinate: Double) -> Double {
    switch self {
    case .logOdds: Self.rate(coordinate) * Self.rate(-coordinate)
    case .linear: 1
    }
  }

  /// The slope at eight coordinates.
  func slopes(at coordinates: NodeVector) -> NodeVector {
    guard case .logOdds = self else { return NodeVector(repeating: 1) }
    var result = NodeVector.zero
    for lane in coordinates.indices { result[lane] = slope(at: coordinates[lane]) }
    return result
  }

  /// The coordinate of `change` applied to the value at `coordinate`; infinite (±) where that
  /// value leaves the range of rates.
  func moved(_ coordinate: Double, by change: ValueChange) -> Double {
    switch self {
    case .linear(let origin):
      return change.factor * coordinate + ((change.factor - 1) * origin + change.shift)
    case .logOdds:
      // The complement is computed of its own: 1 − value would lose the digits of rates near 1.
      let (rate, complement) = (Self.rate(coordinate), Self.rate(-coordinate))
      let numerator = change.factor * rate + change.shift
      let denominator = complement - (change.factor - 1) * rate - change.shift
      if numerator <= 0 { return -.infinity }
      if denominator <= 0 { return .infinity }
      return log(numerator / denominator)
    }
  }

  /// Coordinates between which the values' range lies open; infinite where there is no limit.
  var limits: [Double] { self == .logOdds ? [-.infinity, .infinity] : [] }

  private static func rate(_ logOdds: Double) -> Double {
    if logOdds >= 0 { return 1 / (1 + exp(-logOdds)) }
    let odds = exp(logOdds)
    return odds / (1 + odds)
  }
}

/// A change of a value: value ↦ factor · value + shift.
struct ValueChange: Equatable, Sendable {
  var factor = 1.0
  var shift = 0.0

  /// The change that undoes this one; nil when the factor is 0.
  var inverse: ValueChange? {
    factor == 0 ? nil : ValueChange(factor: 1 / factor, shift: -shift / factor)
  }
}
