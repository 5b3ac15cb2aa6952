import Glibc

/// A posterior density as polynomials over panels, from which every answer about it is read.
///
/// Panels are one `step` (about a standard deviation) wide near the centre and double further out,
/// up to where the tail is negligible. The density is given up to a factor and divided by its own
/// integral, because differences of lnΓ lose six digits at 1e9 units. Mass below is
/// summed from the left, mass above from the right, so both tails keep their relative accuracy.
struct PosteriorTable: Sendable {
  /// Ends of the panels, ascending.
  let edges: [Double]
  /// Chebyshev coefficients, panel after panel: of the density, and of its integral.
  private let density: [Double]
  private let integral: [Double]
  /// Mass left of each panel, inside it, and right of it.
  private let below: [Double]
  private let inside: [Double]
  private let above: [Double]

  /// - Parameters:
  ///   - centre: the mode.
  ///   - step: a width over which the density changes by about one standard deviation.
  ///   - logDensity: log density at a distance from the centre, relative to the centre.
  init(centre: Double, step: Double, logDensity: (Double) -> Double) {
    let right = Self.distances(step) { logDensity($0) }
    let left = Self.distances(step) { logDensity(-$0) }
    let offsets = left.reversed().map { -$0 } + [0] + right

    var (density, integral, inside) = ([Double](), [Double](), [Double]())
    for (start, end) in zip(offsets, offsets.dropFirst()) {
      let (middle, half) = ((start + end) / 2, (end - start) / 2)
      let values = Chebyshev.nodes.map { exp(logDensity(middle + half * $0)) }
      let coefficients = Chebyshev.coefficients(of: values)
      let sums = Chebyshev.integral(of: coefficients).map { $0 * half }
      density += coefficients
      integral += sums
      // Rounding may leave a hair below zero in a tail that holds nothing.
      inside.append(max(0, sums.reduce(0, +)))
    }
    let total = inside.reduce(0, +)
    precondition(total > 0 && total.isFinite, "a posterior density must have a finite mass")
    self.edges = offsets.map { centre + $0 }
    self.density = density.map { $0 / total }
    self.integral = integral.map { $0 / total }
    self.inside = inside.map { $0 / total }
    self.below = self.inside.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    self.above = self.inside.reversed().reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
      .reversed()
  }

  var panelCount: Int { inside.count }

  /// The panel that holds a coordinate; −1 left of the table, `panelCount` right of it.
  func panel(holding coordinate: Double) -> Int {
    var (low, high) = (0, edges.count)
    while low < high {
      let middle = (low + high) / 2
      if edges[middle] <= coordinate { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }

  func mass(ofPanel panel: Int) -> Double { inside[panel] }

  /// Density, mass below and mass above at eight coordinates of one panel.
  func values(_ panel: Int, at coordinates: NodeVector) -> TableValues {
    guard panel >= 0 else { return TableValues(density: .zero, below: .zero, above: .one) }
    guard panel < panelCount else { return TableValues(density: .zero, below: .one, above: .zero) }
    let half = (edges[panel + 1] - edges[panel]) / 2
    let points = (coordinates - (edges[panel] + half)) / half
    let mass = Chebyshev.sum(integral, integralRange(panel), at: points)
      .clamped(
        lowerBound: .zero, upperBound: NodeVector(repeating: inside[panel]))
    return TableValues(
      density: Chebyshev.sum(density, densityRange(panel), at: points),
      below: mass + below[panel],
      above: (inside[panel] - mass) + above[panel + 1])
  }

  /// Mass below and above one coordinate.
  func tails(at coordinate: Double) -> (below: Double, above: Double) {
    let panel = panel(holding: coordinate)
    guard panel >= 0 else { return (0, 1) }
    guard panel < panelCount else { return (1, 0) }
    let half = (edges[panel + 1] - edges[panel]) / 2
    let point = (coordinate - (edges[panel] + half)) / half
    let mass = min(
      max(Chebyshev.sum(integral, integralRange(panel), at: point), 0), inside[panel])
    return (below[panel] + mass, above[panel + 1] + (inside[panel] - mass))
  }

  /// The coordinate with `probability` of the mass below it; 0 < probability < 1.
  func quantile(_ probability: Double) -> Double {
    precondition(probability > 0 && probability < 1, "a quantile lies inside (0, 1)")
    // The panel that the mass passes; the last one takes what rounding leaves.
    let panel = max(0, (below.firstIndex { $0 >= probability } ?? panelCount) - 1)
    let target = probability - below[panel]
    var (low, high) = (-1.0, 1.0)
    var point = 0.0
    let half = (edges[panel + 1] - edges[panel]) / 2
    for _ in 0..<100 {
      let excess = Chebyshev.sum(integral, integralRange(panel), at: point) - target
      if excess > 0 { high = point } else { low = point }
      let slope = half * Chebyshev.sum(density, densityRange(panel), at: point)
      var next = point - excess / slope
      if !(next > low && next < high) { next = (low + high) / 2 }  // also when the slope is 0
      if abs(next - point) < 1e-15 { break }
      point = next
    }
    return edges[panel] + half * (1 + point)
  }

  private func densityRange(_ panel: Int) -> Range<Int> {
    panel * Chebyshev.count..<(panel + 1) * Chebyshev.count
  }

  private func integralRange(_ panel: Int) -> Range<Int> {
    let count = Chebyshev.count + 1
    return panel * count..<(panel + 1) * count
  }

  /// Panel ends to one side: six steps, then doubling, until what lies beyond is below 1e-19.
  private static func distances(_ step: Double, _ logDensity: (Double) -> Double) -> [Double] {
    var ends = (1...6).map { Double($0) }
    // Beyond a distance d a tail holds about d times its density, be it a normal's or a power's.
    while logDensity(ends[ends.count - 1] * step) + log(ends[ends.count - 1]) > -44 {
      ends.append(2 * ends[ends.count - 1])
    }
    return ends.map { $0 * step }
  }
}

/// What a table says at eight coordinates.
struct TableValues: Sendable {
  var density: NodeVector
  var below: NodeVector
  var above: NodeVector
}
