import Testing

@testable import SplitstreamServer

/// RFC 4180 as we read it. Each text is read whole and one byte at a time: chunks change nothing.
@Suite struct CSVReaderTests {
  private func records(_ text: [UInt8], chunkBytes: Int) throws(TableError) -> [[String]] {
    var reader = CSVReader(ChunkedSource(text, chunkBytes: chunkBytes))
    var record = CSVRecord()
    var records: [[String]] = []
    while try reader.next(into: &record) {
      records.append((0..<record.count).map { String(decoding: record[$0], as: UTF8.self) })
    }
    return records
  }

  private func expect(_ text: String, _ records: [[String]]) throws {
    for chunkBytes in [1, 2, 3, Int.max] {
      #expect(try self.records(Array(text.utf8), chunkBytes: chunkBytes) == records)
    }
  }

  @Test("fields and lines", arguments: ["a,b\nc,d\n", "a,b\r\nc,d\r\n", "a,b\nc,d", "a,b\r\nc,d"])
  func lines(text: String) throws {
    try expect(text, [["a", "b"], ["c", "d"]])
  }

  @Test func quotedFieldsKeepCommasQuotesAndLineEnds() throws {
    try expect(
      "\"a,1\",\"say \"\"hi\"\"\",\"two\r\nlines\n\"\nx,,\"\"\n",
      [["a,1", "say \"hi\"", "two\r\nlines\n"], ["x", "", ""]])
  }

  @Test func emptyFieldsAtTheEdges() throws {
    try expect(",\n,", [["", ""], ["", ""]])
  }

  @Test func byteOrderMarkIsPassedOver() throws {
    try expect("\u{FEFF}a,b\n1,2", [["a", "b"], ["1", "2"]])
    try expect("\u{FEFF}\"a\",b", [["a", "b"]])
  }

  @Test func emptyLinesAreNoRecords() throws {
    try expect("\n\na,b\n\r\n1,2\n\n", [["a", "b"], ["1", "2"]])
    try expect("", [])
    try expect("\"\"", [[""]])
  }

  @Test(
    "a fault is told with its line",
    arguments: [
      ("a,b\n1,2\n3\n", 3), ("a,b\n\"x\ny\",2\n1,2,3\n", 4), ("a,b\n1,2,\n", 2),
      ("a,b\nx\"y,1\n", 2), ("a,b\n\"x\"y,1\n", 2), ("a,b\n\"x,1\n2,3\n", 2),
      ("a\rb\n", 1), ("a,b\n1,2\r", 2), ("a,b\n1,\"2\"\rx", 2),
    ])
  func faults(text: String, line: Int) throws {
    for chunkBytes in [1, Int.max] {
      let error = try #require(throws: TableError.self) {
        try records(Array(text.utf8), chunkBytes: chunkBytes)
      }
      guard case .row(line, _) = error else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test func aRecordHasALimit() throws {
    let long = Array("a,\"".utf8) + [UInt8](repeating: 0x78, count: CSVReader.recordBytesMax)
    let commas = [UInt8](repeating: UInt8(ascii: ","), count: CSVReader.recordBytesMax + 1)
    for text in [long, commas] {
      #expect(throws: TableError.self) { try records(text, chunkBytes: .max) }
    }
    let fits = [UInt8](repeating: 0x78, count: CSVReader.recordBytesMax)
    #expect(try records(fits, chunkBytes: .max).count == 1)
  }

  @Test func recordsKnowTheirLine() throws {
    var reader = CSVReader(ChunkedSource("a\n\n\"b\nc\"\nd\n".utf8))
    var record = CSVRecord()
    var lines: [Int] = []
    while try reader.next(into: &record) { lines.append(record.line) }
    #expect(lines == [1, 3, 5])
  }
}
