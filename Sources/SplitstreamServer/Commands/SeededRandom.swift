import Glibc

/// Random numbers that a seed determines: xoshiro256** (Blackman & Vigna 2021), its state filled by
/// SplitMix64. The same seed gives the same simulation on every machine.
struct SeededRandom: RandomNumberGenerator {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  /// - Parameter stream: streams of one seed are independent of each other.
  init(seed: UInt64, stream: UInt64) {
    var word = seed &+ stream &* 0x9e37_79b9_7f4a_7c15
    func next() -> UInt64 {
      word &+= 0x9e37_79b9_7f4a_7c15
      var mixed = word
      mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
      return mixed ^ mixed >> 31
    }
    state = (next(), next(), next(), next())
  }

  mutating func next() -> UInt64 {
    let product = state.1 &* 5
    let result = (product << 7 | product >> 57) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = state.3 << 45 | state.3 >> 19
    return result
  }

  /// Uniform on [0, 1).
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// How many of `trials` succeed, each with probability `rate`.
  ///
  /// - Source: Hörmann 1993, *The generation of binomial random variates* (BTRS); inversion where
  ///   few successes are expected.
  mutating func binomial(trials: Int, rate: Double) -> Int {
    if rate > 0.5 { return trials - binomial(trials: trials, rate: 1 - rate) }
    guard trials > 0, rate > 0 else { return 0 }
    let expected = Double(trials) * rate
    if expected < 10 { return binomialByInversion(trials: trials, rate: rate) }
    let (n, mode) = (Double(trials), (Double(trials) + 1) * rate)
    let deviation = (expected * (1 - rate)).squareRoot()
    let b = 1.15 + 2.53 * deviation
    let a = -0.0873 + 0.0248 * b + 0.01 * rate
    let alpha = (2.83 + 5.1 / b) * deviation
    let peak = mode.rounded(.down)
    let logOdds = log(rate / (1 - rate))
    let atPeak = logGamma(peak + 1) + logGamma(n - peak + 1)
    while true {
      let (v, u) = (uniform(), uniform() - 0.5)
      let distance = 0.5 - abs(u)
      let k = ((2 * a / distance + b) * u + expected + 0.5).rounded(.down)
      if distance >= 0.07 && v <= 0.92 - 4.2 / b { return Int(k) }
      guard k >= 0, k <= n else { continue }
      let height = log(v * alpha / (a / (distance * distance) + b))
      let density = atPeak - logGamma(k + 1) - logGamma(n - k + 1) + (k - peak) * logOdds
      if height <= density { return Int(k) }
    }
  }

  /// How many events of a stream with this many expected.
  ///
  /// - Source: Hörmann 1993, *The transformed rejection method for generating Poisson random
  ///   variables* (PTRS); products of uniforms where few are expected.
  mutating func poisson(expected: Double) -> Int {
    if expected < 10 {
      let limit = exp(-expected)
      var (count, product) = (0, uniform())
      while product > limit {
        count += 1
        product *= uniform()
      }
      return count
    }
    let b = 0.931 + 2.53 * expected.squareRoot()
    let a = -0.059 + 0.02483 * b
    let scale = 1.1239 + 1.1328 / (b - 3.4)
    while true {
      let (u, v) = (uniform() - 0.5, uniform())
      let distance = 0.5 - abs(u)
      let k = ((2 * a / distance + b) * u + expected + 0.43).rounded(.down)
      if distance >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2) { return Int(k) }
      if k < 0 || (distance < 0.013 && v > distance) { continue }
      let height = log(v * scale / (a / (distance * distance) + b))
      if height <= k * log(expected) - expected - logGamma(k + 1) { return Int(k) }
    }
  }

  private mutating func binomialByInversion(trials: Int, rate: Double) -> Int {
    let odds = rate / (1 - rate)
    while true {
      var (count, mass, rest) = (0, exp(Double(trials) * log1p(-rate)), uniform())
      while rest > mass && count < trials {
        rest -= mass
        count += 1
        mass *= odds * Double(trials - count + 1) / Double(count)
      }
      // Rounding can leave a rest that no count takes; it is drawn again.
      if rest <= mass { return count }
    }
  }

  private func logGamma(_ x: Double) -> Double {
    var sign: Int32 = 0
    return lgamma_r(x, &sign)
  }
}
