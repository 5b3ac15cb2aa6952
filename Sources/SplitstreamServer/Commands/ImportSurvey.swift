/// What the first pass over the file finds. It checks every row, so that a bad file changes nothing
/// on the server.
struct ImportSurvey: Equatable {
  private(set) var rows = 0
  /// Names as they stand in the file, with their rows, in the order of their first.
  private(set) var variants: [(name: [UInt8], rows: Int)] = []
  /// Cells of each column that are an event.
  private(set) var conversions: [Int]
  /// Rows whose unit an earlier row has too.
  private(set) var repeatedRows = 0
  /// Of these, the rows that name another variant than the first did.
  private(set) var contradictingRows = 0

  /// Weights are whole percents, and a column of more values is surely another column.
  static let variantsMax = 100

  init(_ table: consuming ImportTable, _ options: ImportOptions) throws(TableError) {
    var table = table
    conversions = options.metricColumns.map { _ in 0 }
    var variantOfUnit: [UInt64: UInt8] = [:]
    while let row = try table.next() {
      rows += 1
      let variant = try index(of: row)
      variants[variant].rows += 1
      for (column, cell) in row.cells.enumerated() where cell != .nothing {
        conversions[column] += 1
      }
      // 64 bits mistake one unit for another in a file of ten million rows with a chance of 3 in a
      // million, and these two counts are only shown.
      var unit = Fingerprint()
      unit.add(row.unit)
      let key = UInt64(truncatingIfNeeded: unit.value ^ unit.value >> 64)
      if let first = variantOfUnit[key] {
        repeatedRows += 1
        if Int(first) != variant { contradictingRows += 1 }
      } else {
        variantOfUnit[key] = UInt8(variant)
      }
    }
  }

  private mutating func index(of row: ImportRow) throws(TableError) -> Int {
    if let known = variants.firstIndex(where: { $0.name.elementsEqual(row.variant) }) {
      return known
    }
    guard variants.count < Self.variantsMax else {
      throw .row(
        line: row.line,
        reason: "more than \(Self.variantsMax) variants: is it the column with the variant?")
    }
    variants.append((Array(row.variant), 0))
    return variants.count - 1
  }

  static func == (a: ImportSurvey, b: ImportSurvey) -> Bool {
    a.rows == b.rows && a.conversions == b.conversions && a.repeatedRows == b.repeatedRows
      && a.contradictingRows == b.contradictingRows
      && a.variants.elementsEqual(b.variants) { $0.name == $1.name && $0.rows == $1.rows }
  }
}
