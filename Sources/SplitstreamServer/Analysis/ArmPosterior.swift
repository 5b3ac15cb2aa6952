/// What is known of one arm's level on one metric after its data.
struct ArmPosterior: Sendable {
  let mean: Double
  /// Equal-tailed, 95 %.
  let interval: Interval
  let scale: ValueScale
  /// Nil for a point mass at `mean`: no unit, or all units of all arms alike.
  let table: PosteriorTable?

  init(mean: Double, scale: ValueScale, table: PosteriorTable) {
    self.mean = mean
    self.scale = scale
    self.table = table
    interval = Interval(
      lower: scale.value(at: table.quantile(0.025)), upper: scale.value(at: table.quantile(0.975)))
  }

  init(pointMassAt mean: Double) {
    self.mean = mean
    interval = Interval(lower: mean, upper: mean)
    scale = .linear(origin: mean)
    table = nil
  }
}
