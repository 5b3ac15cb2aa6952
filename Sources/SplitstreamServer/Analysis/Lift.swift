import Glibc

/// A treatment's posterior against the control's.
struct Lift: Sendable {
  private let control: ArmPosterior
  private let treatment: ArmPosterior

  /// - Precondition: two posteriors of one metric, from one analysis.
  init(of treatment: ArmPosterior, over control: ArmPosterior) {
    self.control = control
    self.treatment = treatment
  }

  /// P(θ_t ≥ (1 + relative)·θ_c).
  func probability(atLeast relative: Double) -> Double {
    min(1, compare(ValueChange(factor: 1 + relative)).above)
  }

  /// P(θ_t ≤ (1 + relative)·θ_c).
  func probability(atMost relative: Double) -> Double {
    min(1, compare(ValueChange(factor: 1 + relative)).below)
  }

  /// The equal-tailed credible interval of θ_t − θ_c, 95 %.
  func differenceInterval() -> Interval {
    let middle = treatment.mean - control.mean
    guard control.table != nil, treatment.table != nil else {
      return Interval(lower: middle, upper: middle)
    }
    // First guesses from the arms' own intervals, exact for two normals (Newcombe 1998's way).
    let lower = hypot(
      treatment.mean - treatment.interval.lower, control.interval.upper - control.mean)
    let upper = hypot(
      treatment.interval.upper - treatment.mean, control.mean - control.interval.lower)
    return Interval(
      lower: difference(withBelow: 0.025, near: middle - lower, scale: lower),
      upper: difference(withBelow: 0.975, near: middle + upper, scale: upper))
  }

  /// The d with P(θ_t ≤ θ_c + d) = `probability`: Newton's iteration, kept inside a bracket.
  private func difference(withBelow probability: Double, near guess: Double, scale: Double)
    -> Double
  {
    var (low, high) = (-Double.infinity, Double.infinity)
    var d = guess
    for round in 0..<100 {
      let at = compare(ValueChange(shift: d))
      // The smaller tail is the more accurate one.
      let excess = probability < 0.5 ? at.below - probability : (1 - probability) - at.above
      if excess > 0 { high = min(high, d) } else { low = max(low, d) }
      let newton = d - excess / at.slope
      if newton >= low && newton <= high {
        // Quadratic convergence: the step after one of 1e-8 would be of 1e-16.
        if abs(newton - d) < 1e-8 * scale { return newton }
        d = newton
      } else {
        let step = scale * Double(1 << min(round, 40))
        d = low == -.infinity ? high - step : high == .infinity ? low + step : (low + high) / 2
        if d == low || d == high { return d }
      }
    }
    return d
  }

  /// P(θ_t ≤ y) and P(θ_t ≥ y) for y = the changed θ_c, and d P(θ_t ≤ y) / d shift.
  private func compare(_ change: ValueChange) -> (below: Double, above: Double, slope: Double) {
    guard let ours = control.table, let theirs = treatment.table else {
      let value = change.factor * control.mean + change.shift
      return (treatment.mean <= value ? 1 : 0, treatment.mean >= value ? 1 : 0, 0)
    }
    let scale = control.scale
    var result = (below: 0.0, above: 0.0, slope: 0.0)
    let edges = edges(ours, theirs, change)
    for (start, end) in zip(edges, edges.dropFirst()) {
      let (middle, half) = ((start + end) / 2, (end - start) / 2)
      let panel = ours.panel(holding: middle)
      guard panel < ours.panelCount, ours.mass(ofPanel: panel) > 1e-18 else { continue }
      let theirPanel = theirs.panel(holding: scale.moved(middle, by: change))
      for (nodes, weights) in GaussLegendre.batches {
        let points = middle + half * nodes
        let mass = half * weights * ours.values(panel, at: points).density
        guard (0..<theirs.panelCount).contains(theirPanel) else {
          if theirPanel < 0 { result.above += mass.sum() } else { result.below += mass.sum() }
          continue
        }
        var moved = NodeVector.zero
        for lane in points.indices { moved[lane] = scale.moved(points[lane], by: change) }
        // Rounding may carry a point past the end of the range, to infinity.
        moved.clamp(
          lowerBound: NodeVector(repeating: theirs.edges[theirPanel]),
          upperBound: NodeVector(repeating: theirs.edges[theirPanel + 1]))
        let values = theirs.values(theirPanel, at: moved)
        result.below += (mass * values.below).sum()
        result.above += (mass * values.above).sum()
        result.slope += (mass * values.density / scale.slopes(at: moved)).sum()
      }
    }
    return result
  }

  /// Edges of the control's table, and where the changed control meets an edge of the treatment's
  /// or an end of the values' range: a panel straddling one would cost four digits.
  private func edges(_ ours: PosteriorTable, _ theirs: PosteriorTable, _ change: ValueChange)
    -> [Double]
  {
    let range = ours.edges[0]...ours.edges[ours.edges.count - 1]
    let met = change.inverse.map { inverse in
      (theirs.edges + control.scale.limits).map { control.scale.moved($0, by: inverse) }
        .filter(range.contains)
    }
    var edges: [Double] = []
    for edge in (ours.edges + (met ?? [])).sorted() where edge != edges.last {
      edges.append(edge)
    }
    return edges
  }
}
