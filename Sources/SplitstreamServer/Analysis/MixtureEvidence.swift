import Glibc

/// Evidence that units fall to the arms in other shares than expected, valid at any moment.
///
/// The Bayes factor of a Dirichlet(C·share) mixture of multinomials against the expected shares
/// (Lindon & Malek 2022). By Ville's inequality it passes 1/α with a
/// probability of at most α, however often it is looked at.
enum MixtureEvidence {
  /// log E of `counts` against `shares`, which are positive and sum to 1.
  ///
  ///     lnΓ(C) − lnΓ(C+N) + Σ [lnΓ(Cp+n) − lnΓ(Cp) − n ln p]
  ///
  /// With Stirling's formula put in for every lnΓ the large terms cancel on paper, where doubles
  /// would lose them at 1e9 units (Loader 2000): what stays is a sum of deviances, logarithms and
  /// the small errors of Stirling's formula.
  static func logE(counts: [Int], shares: [Double], concentration: Double) -> Double {
    let total = Double(counts.reduce(0, +))
    let mass = concentration + total
    var logE = 0.5 * log1p(total / concentration)
    logE += stirlingError(concentration) - stirlingError(mass)
    for (count, share) in zip(counts, shares) {
      let (prior, count) = (concentration * share, Double(count))
      logE += deviance(prior + count, expected: mass * share, excess: count - total * share)
      logE -= 0.5 * log1p(count / prior)
      logE += stirlingError(prior + count) - stirlingError(prior)
    }
    return logE
  }

  /// observed · ln(observed / expected) − excess, where excess = observed − expected.
  ///
  /// - Source: Loader 2000, *Fast and Accurate Computation of Binomial Probabilities*, `bd0`.
  private static func deviance(_ observed: Double, expected: Double, excess: Double) -> Double {
    guard abs(excess) < 0.1 * (observed + expected) else {
      return observed * log(observed / expected) - excess
    }
    // ln(x/m) = 2·artanh(v), v = (x − m)/(x + m).
    let ratio = excess / (observed + expected)
    var (sum, power) = (excess * ratio, 2 * observed * ratio)
    for odd in stride(from: 3.0, to: 40, by: 2) {
      power *= ratio * ratio
      sum += power / odd
    }
    return sum
  }

  /// lnΓ(x) − [(x − ½) ln x − x + ½ ln 2π].
  private static func stirlingError(_ x: Double) -> Double {
    if x < 16 {
      var sign: Int32 = 0
      // `lgamma` would write a global; `lgamma_r` does not.
      return lgamma_r(x, &sign) - ((x - 0.5) * log(x) - x + 0.5 * log(2 * .pi))
    }
    let square = 1 / (x * x)
    let series =
      1.0 / 12
      - square
      * (1.0 / 360 - square
        * (1.0 / 1260 - square * (1.0 / 1680 - square * (1.0 / 1188 - square * 691 / 360_360))))
    return series / x
  }
}
