import Glibc

/// Chebyshev interpolation on [−1, 1]: from values at fixed nodes to a polynomial and its integral.
///
/// Twenty nodes hold a posterior's density over one standard deviation to about 1e-14 of its peak.
enum Chebyshev {
  static let count = 20

  /// Nodes of the first kind, ascending.
  static let nodes: [Double] = (0..<count).map { k in
    -cos(.pi * (Double(k) + 0.5) / Double(count))
  }

  /// T_j at the nodes times 2/count (1/count for j = 0), row by row: values in, coefficients out.
  private static let transform: [Double] = (0..<count).flatMap { j in
    nodes.map { node in
      (j == 0 ? 1 : 2) / Double(count) * cos(Double(j) * acos(node))
    }
  }

  /// The coefficients of the polynomial that takes `values` at `nodes`.
  static func coefficients(of values: [Double]) -> [Double] {
    precondition(values.count == count, "one value per Chebyshev node")
    return (0..<count).map { j in
      var sum = 0.0
      for k in 0..<count { sum += transform[j * count + k] * values[k] }
      return sum
    }
  }

  /// The coefficients (one more) of the integral from −1, which is 0 at −1.
  ///
  /// - Source: ∫T_j = T_{j+1}/(2(j+1)) − T_{j−1}/(2(j−1)); Mason & Handscomb 2003, §2.4.4.
  static func integral(of coefficients: [Double]) -> [Double] {
    func coefficient(_ j: Int) -> Double {
      j >= coefficients.count ? 0 : (j == 0 ? 2 : 1) * coefficients[j]
    }
    var result = [0.0]
    for j in 1...coefficients.count {
      result.append((coefficient(j - 1) - coefficient(j + 1)) / Double(2 * j))
    }
    var atMinusOne = 0.0
    for j in 1...coefficients.count { atMinusOne += (j % 2 == 0 ? 1 : -1) * result[j] }
    result[0] = -atMinusOne
    return result
  }

  /// Clenshaw's sum of `coefficients[range]` at eight points at once.
  static func sum(_ coefficients: [Double], _ range: Range<Int>, at points: NodeVector)
    -> NodeVector
  {
    let twice = points + points
    var (last, beforeLast) = (NodeVector.zero, NodeVector.zero)
    for j in range.dropFirst().reversed() {
      let next = twice * last - beforeLast + coefficients[j]
      beforeLast = last
      last = next
    }
    return points * last - beforeLast + coefficients[range.lowerBound]
  }

  /// Clenshaw's sum at one point.
  static func sum(_ coefficients: [Double], _ range: Range<Int>, at point: Double) -> Double {
    var (last, beforeLast) = (0.0, 0.0)
    for j in range.dropFirst().reversed() {
      (last, beforeLast) = (2 * point * last - beforeLast + coefficients[j], last)
    }
    return point * last - beforeLast + coefficients[range.lowerBound]
  }
}
