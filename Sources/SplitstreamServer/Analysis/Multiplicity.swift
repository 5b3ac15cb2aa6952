/// p-values of several tests, corrected for their number; answers stand in the order of the inputs.
enum Multiplicity {
  /// min(1, m·p).
  static func bonferroni(_ p: [Double]) -> [Double] {
    p.map { min(1, Double(p.count) * $0) }
  }

  /// Step-down with a running maximum.
  ///
  /// - Source: Holm 1979.
  static func holm(_ p: [Double]) -> [Double] {
    var (result, largest) = (p, 0.0)
    for (rank, index) in ascending(p).enumerated() {
      largest = max(largest, Double(p.count - rank) * p[index])
      result[index] = min(1, largest)
    }
    return result
  }

  /// Step-up with a running minimum: the false discovery rate.
  ///
  /// - Source: Benjamini & Hochberg 1995.
  static func benjaminiHochberg(_ p: [Double]) -> [Double] {
    var (result, smallest) = (p, 1.0)
    for (rank, index) in ascending(p).enumerated().reversed() {
      smallest = min(smallest, Double(p.count) / Double(rank + 1) * p[index])
      result[index] = smallest
    }
    return result
  }

  /// Indices by ascending p, ties in input order.
  private static func ascending(_ p: [Double]) -> [Int] {
    p.indices.sorted { (p[$0], $0) < (p[$1], $1) }
  }
}
