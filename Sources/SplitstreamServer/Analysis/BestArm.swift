/// For each of several arms: how probably it is the best, and what choosing it would cost.
///
///     prob_best_i     = ∫ f_i(x) Π_{j≠i} F_j(x) dx
///     expected_loss_i = ∫ F_i(x) · (1 − Π_{j≠i} F_j(x)) dx
///
/// The second is E[max_j θ_j − θ_i], in units of the metric, with non-negative terms only.
struct BestArm: Sendable {
  private(set) var probabilities: [Double]
  private(set) var expectedLosses: [Double]

  /// - Parameter arms: posteriors of one metric, one or more, all of one scale.
  init(_ arms: [ArmPosterior], higherIsBetter: Bool) {
    let tables = arms.compactMap(\.table)
    probabilities = Array(repeating: 1 / Double(arms.count), count: arms.count)
    expectedLosses = Array(repeating: 0, count: arms.count)
    // Point masses come all together and at one place; nobody is better than the others.
    guard arms.count > 1, tables.count == arms.count else { return }

    probabilities = Array(repeating: 0, count: arms.count)
    let scale = arms[0].scale
    let edges = Self.edges(tables, scale)
    for (start, end) in zip(edges, edges.dropFirst()) {
      let (middle, half) = ((start + end) / 2, (end - start) / 2)
      let panels = tables.map { $0.panel(holding: middle) }
      for (nodes, weights) in GaussLegendre.batches {
        let points = middle + half * nodes
        let values = zip(tables, panels).map { $0.values($1, at: points) }
        add(
          values.map { higherIsBetter ? $0 : $0.mirrored },
          weights: half * weights, lengths: half * weights * scale.slopes(at: points))
      }
    }
    // The last bit of a sum of many terms may lie beyond.
    probabilities = probabilities.map { min(1, $0) }
  }

  /// Adds one batch of nodes. `before` is the product of F over the arms before i, `after` over
  /// those after it; their complements are summed, never subtracted from 1.
  private mutating func add(_ values: [TableValues], weights: NodeVector, lengths: NodeVector) {
    var afters = [(product: NodeVector.one, complement: NodeVector.zero)]
    for arm in values.reversed() {
      let next = afters[afters.count - 1]
      afters.append((arm.below * next.product, arm.above + arm.below * next.complement))
    }
    var before = (product: NodeVector.one, complement: NodeVector.zero)
    for (index, arm) in values.enumerated() {
      let after = afters[values.count - 1 - index]
      let othersBelow = before.product * after.product
      let someOtherAbove = before.complement + before.product * after.complement
      probabilities[index] += (weights * arm.density * othersBelow).sum()
      expectedLosses[index] += (lengths * arm.below * someOtherAbove).sum()
      before = (before.product * arm.below, before.complement + before.product * arm.above)
    }
  }

  /// The union of the tables' edges, so that no panel straddles one; on log-odds no panel is
  /// wider than 4, because the rate itself must be resolved between arms that are far apart.
  private static func edges(_ tables: [PosteriorTable], _ scale: ValueScale) -> [Double] {
    let sorted = tables.flatMap(\.edges).sorted()
    let widthMax = scale == .logOdds ? 4.0 : .infinity
    var edges = [sorted[0]]
    for edge in sorted.dropFirst() where edge > edges[edges.count - 1] {
      let start = edges[edges.count - 1]
      let parts = max(1, ((edge - start) / widthMax).rounded(.up))
      for part in stride(from: 1, to: parts, by: 1) {
        edges.append(start + (edge - start) * part / parts)
      }
      edges.append(edge)
    }
    return edges
  }
}

extension TableValues {
  /// Below and above exchanged: the table of a metric of which less is better.
  fileprivate var mirrored: TableValues {
    TableValues(density: density, below: above, above: below)
  }
}
