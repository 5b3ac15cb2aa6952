/// Weights that follow the probabilities of being best (Scott 2010), without a random number.
enum BanditWeights {
  /// Whole percents that sum to 100, by largest remainder; ties go to the lower index.
  ///
  /// - Parameters:
  ///   - probBest: sums to 1.
  ///   - floor: the least share of every arm, at most 1/K.
  static func percents(probBest: [Double], floor: Double) -> [Int] {
    let free = 1 - Double(probBest.count) * floor
    // In units of 1e-9 percent, so that a rounding error decides nothing.
    let unit = 1_000_000_000
    let shares = probBest.map { Int((100 * (floor + free * $0) * Double(unit)).rounded()) }
    var percents = shares.map { $0 / unit }
    let byRemainder = shares.indices.sorted {
      (-(shares[$0] % unit), $0) < (-(shares[$1] % unit), $1)
    }
    for index in byRemainder.prefix(max(0, 100 - percents.reduce(0, +))) { percents[index] += 1 }
    return percents
  }
}
