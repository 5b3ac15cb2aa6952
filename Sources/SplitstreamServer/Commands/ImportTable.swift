/// One unit of the past experiment: a row of the file that has been checked.
struct ImportRow {
  let line: Int
  /// UTF-8 without NUL, 1 … 256 bytes.
  let unit: ArraySlice<UInt8>
  /// The variant's name as it stands in the file; UTF-8, not empty.
  let variant: ArraySlice<UInt8>
  /// One for each column of a metric, in the order of the options.
  let cells: [ImportColumn.Cell]

  static let unitBytesMax = 256
}

/// The rows of a `.csv` or `.csv.gz` file with the columns that an import needs. Which of the two
/// it is, its first bytes tell. Every pass over the file opens it anew.
struct ImportTable {
  private var csv: CSVReader
  private var record = CSVRecord()
  private let unitColumn: Int
  private let variantColumn: Int
  private let metricColumns: [(index: Int, column: ImportColumn)]

  init(_ options: ImportOptions) throws(TableError) {
    let file = try FileSource(path: options.file)
    let isCompressed = try file.begins(with: GzipSource.magic)
    try self.init(isCompressed ? GzipSource(file) : file, options)
  }

  init(_ source: any ByteSource, _ options: ImportOptions) throws(TableError) {
    csv = CSVReader(source)
    guard try csv.next(into: &record) else { throw .file(reason: "is empty") }
    let header = Header(record)
    unitColumn = try header.column(options.unitColumn)
    variantColumn = try header.column(options.variantColumn)
    var metricColumns: [(index: Int, column: ImportColumn)] = []
    for column in options.metricColumns {
      metricColumns.append((try header.column(column.name), column))
    }
    self.metricColumns = metricColumns
  }

  mutating func next() throws(TableError) -> ImportRow? {
    guard try csv.next(into: &record) else { return nil }
    let unit = record[unitColumn]
    let variant = record[variantColumn]
    guard (1...ImportRow.unitBytesMax).contains(unit.count), Self.isText(unit) else {
      throw .row(
        line: record.line,
        reason: "a unit is 1 to \(ImportRow.unitBytesMax) bytes of UTF-8 without NUL")
    }
    guard !variant.isEmpty, Self.isText(variant) else {
      throw .row(line: record.line, reason: "the variant is empty or not UTF-8")
    }
    var cells: [ImportColumn.Cell] = []
    cells.reserveCapacity(metricColumns.count)
    for (index, column) in metricColumns {
      guard let cell = column.read(record[index]) else {
        let text = String(decoding: record[index].prefix(40), as: UTF8.self)
        throw .row(
          line: record.line,
          reason: "\"\(text)\" in column \"\(column.name)\" is \(column.expectation)")
      }
      cells.append(cell)
    }
    return ImportRow(line: record.line, unit: unit, variant: variant, cells: cells)
  }

  private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
  }

  /// The names of the columns, compared byte for byte.
  private struct Header {
    let line: Int
    let names: [[UInt8]]

    init(_ record: CSVRecord) {
      line = record.line
      names = (0..<record.count).map { Array(record[$0]) }
    }

    func column(_ name: String) throws(TableError) -> Int {
      let found = names.indices.filter { names[$0].elementsEqual(name.utf8) }
      if found.count == 1 { return found[0] }
      let all = names.map { "\"\(String(decoding: $0, as: UTF8.self))\"" }.joined(separator: ", ")
      throw .row(
        line: line,
        reason: found.isEmpty
          ? "there is no column \"\(name)\", only \(all)"
          : "there are \(found.count) columns \"\(name)\"")
    }
  }
}
