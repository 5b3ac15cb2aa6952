import Glibc

/// The χ² distribution's upper tail.
enum ChiSquared {
  /// P(X ≥ statistic) with `degrees` ≥ 1 degrees of freedom: Q(degrees/2, statistic/2).
  ///
  /// - Source: DLMF §8.11 (series below the mean) and §8.9 (continued fraction above it).
  static func upperTail(_ statistic: Double, degrees: Int) -> Double {
    precondition(degrees >= 1 && statistic >= 0, "a χ² has a degree of freedom and is not negative")
    let (a, x) = (Double(degrees) / 2, statistic / 2)
    if x == 0 { return 1 }
    var sign: Int32 = 0
    let front = exp(a * log(x) - x - lgamma_r(a, &sign))
    return x < a + 1 ? 1 - front * series(a, x) : front * fraction(a, x)
  }

  /// Σ x^k / (a (a+1) … (a+k)).
  private static func series(_ a: Double, _ x: Double) -> Double {
    var (term, sum, k) = (1 / a, 1 / a, a)
    while term > sum * 1e-17 {
      k += 1
      term *= x / k
      sum += term
    }
    return sum
  }

  /// 1/(x+1−a− 1(1−a)/(x+3−a− 2(2−a)/(x+5−a− …))), by Lentz's method.
  private static func fraction(_ a: Double, _ x: Double) -> Double {
    let tiny = 1e-300
    var b = x + 1 - a
    var c = 1 / tiny
    var d = 1 / b
    var value = d
    for k in 1...10_000 {
      let step = Double(k)
      let numerator = -step * (step - a)
      b += 2
      d = numerator * d + b
      if abs(d) < tiny { d = tiny }
      c = b + numerator / c
      if abs(c) < tiny { c = tiny }
      d = 1 / d
      value *= d * c
      if abs(d * c - 1) < 1e-16 { break }
    }
    return value
  }
}
