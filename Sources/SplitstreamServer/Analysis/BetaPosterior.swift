import Glibc

/// Units and converted units of one arm.
struct BinaryCounts: Equatable, Sendable {
  let units: Int
  let conversions: Int

  /// - Parameter conversions: 0 … `units`.
  init(units: Int, conversions: Int) {
    precondition(0 <= conversions && conversions <= units, "0 ≤ conversions ≤ units")
    self.units = units
    self.conversions = conversions
  }

  /// k/n, 0 without units.
  var rate: Double { units == 0 ? 0 : Double(conversions) / Double(units) }
}

extension ArmPosterior {
  /// The posterior of a conversion rate: Beta(1 + k, 1 + n − k), from the uniform prior.
  ///
  /// - Source: Gelman et al., *Bayesian Data Analysis*, 3rd ed., §2.4.
  init(_ counts: BinaryCounts) {
    let a = 1 + Double(counts.conversions)
    let b = 1 + Double(counts.units - counts.conversions)
    let mean = a / (a + b)
    // Of the log-odds: density ∝ p^a (1 − p)^b with mode log(a/b), and t away from the mode
    // log density = a·t − (a + b)·log(1 + mean·(e^t − 1)), or the same with the arm's two sides
    // exchanged. The rarer side keeps its digits.
    let (rare, share, sign) = a <= b ? (a, mean, 1.0) : (b, b / (a + b), -1.0)
    let table = PosteriorTable(centre: log(a / b), step: (1 / a + 1 / b).squareRoot()) { t in
      rare * sign * t - (a + b) * log1p(share * expm1(sign * t))
    }
    self.init(mean: mean, scale: .logOdds, table: table)
  }
}
