/// Columns of text, each as wide as its widest cell: the first to the left, numbers to the right.
struct TextTable {
  private var rows: [[String]]

  init(header: [String]) {
    rows = [header]
  }

  /// - Precondition: as many cells as the header has.
  mutating func append(_ cells: [String]) {
    precondition(cells.count == rows[0].count, "a row of \(cells.count) cells in another table")
    rows.append(cells)
  }

  /// The lines without the line ends.
  var lines: [String] {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + padding : padding + cell.0
      }
      return cells.joined(separator: "  ")
    }
  }
}
