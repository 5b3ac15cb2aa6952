import Glibc

/// Points that are integrated together, one per lane.
typealias NodeVector = SIMD8<Double>

/// Gauss–Legendre integration over one panel: sixteen nodes, exact for polynomials of degree 31.
enum GaussLegendre {
  /// Nodes on [−1, 1] and their weights, in two vectors.
  static let batches: [(nodes: NodeVector, weights: NodeVector)] = {
    let rule = (0..<count).map(nodeAndWeight)
    return stride(from: 0, to: count, by: NodeVector.scalarCount).map { start in
      let lanes = rule[start..<start + NodeVector.scalarCount]
      return (NodeVector(lanes.map(\.node)), NodeVector(lanes.map(\.weight)))
    }
  }()

  private static let count = 2 * NodeVector.scalarCount

  /// Newton's iteration on the Legendre polynomial; weight 2 / ((1 − x²) P′(x)²).
  private static func nodeAndWeight(_ index: Int) -> (node: Double, weight: Double) {
    var x = -cos(.pi * (Double(index) + 0.75) / (Double(count) + 0.5))
    var slope = 1.0
    for _ in 0..<8 {
      var (value, before) = (x, 1.0)
      for degree in 2...count {
        let d = Double(degree)
        (value, before) = (((2 * d - 1) * x * value - (d - 1) * before) / d, value)
      }
      slope = Double(count) * (x * value - before) / (x * x - 1)
      x -= value / slope
    }
    return (x, 2 / ((1 - x * x) * slope * slope))
  }
}
