import Glibc

/// The standard normal distribution: Φ and its inverse.
enum NormalDistribution {
  /// Φ(x), with relative accuracy in the lower tail.
  static func below(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// Two-sided p-value of a z statistic.
  static func twoSided(_ z: Double) -> Double { erfc(abs(z) / 2.0.squareRoot()) }

  /// z with Φ(z) = `probability`, which lies inside (0, 1).
  ///
  /// - Source: first guess from Abramowitz & Stegun 26.2.23 (error below 5e-4), then Halley's
  ///   iteration on Φ, which triples the digits.
  static func quantile(_ probability: Double) -> Double {
    precondition(probability > 0 && probability < 1, "a quantile lies inside (0, 1)")
    if probability > 0.5 { return -quantile(1 - probability) }
    let t = (-2 * log(probability)).squareRoot()
    var z =
      (2.515517 + t * (0.802853 + t * 0.010328))
      / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    for _ in 0..<3 {
      let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
      let step = (below(z) - probability) / density
      z -= step / (1 + z * step / 2)
    }
    return z
  }
}
