/// A column of the file that becomes a metric.
struct ImportColumn: Equatable, Sendable {
  let name: String
  let kind: Metric.Kind

  /// What a cell says of its unit: an event of this metric, or none.
  enum Cell: Equatable {
    case nothing
    /// Of a binary column.
    case happened
    /// The number as it stands in the file, which is one of JSON.
    case amount(ArraySlice<UInt8>)
  }

  /// A metric of amounts adds them up: what a file holds is the unit's total.
  var aggregation: Metric.Aggregation { kind == .binary ? .count : .sum }

  /// An empty or zero cell is no event; nil for what the column cannot hold.
  func read(_ cell: ArraySlice<UInt8>) -> Cell? {
    if kind == .binary { return Self.truth(cell).map { $0 ? .happened : .nothing } }
    if cell.isEmpty { return .nothing }
    // Around a JSON number there may be blanks; in a cell they are no part of one.
    guard let value = try? JSONValue(parsing: [UInt8](cell)), value.source.count == cell.count,
      let number = value.double
    else { return nil }
    if number == 0 { return .nothing }
    return kind == .revenue || number > 0 ? .amount(cell) : nil
  }

  /// What its cells hold, for a message about one that does not.
  var expectation: String {
    switch kind {
    case .binary: "neither true nor false"
    case .revenue: "no number such as 12.50"
    case .count, .duration: "no number from 0 on, such as 3 or 12.5"
    }
  }

  /// TRUE, 1, yes, t, y and their opposites, in capitals or small letters; an empty cell is false.
  static func truth(_ cell: ArraySlice<UInt8>) -> Bool? {
    guard cell.count <= 5 else { return nil }
    let small = cell.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
    if trueWords.contains(small) { return true }
    return falseWords.contains(small) ? false : nil
  }

  private static let trueWords: [[UInt8]] = ["true", "1", "yes", "t", "y"].map { Array($0.utf8) }
  private static let falseWords: [[UInt8]] = ["false", "0", "no", "f", "n", ""].map {
    Array($0.utf8)
  }
}
