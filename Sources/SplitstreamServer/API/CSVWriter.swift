/// Writes a table as CSV (RFC 4180): CRLF after each row, fields quoted where they must be.
struct CSVWriter {
  private(set) var bytes: [UInt8] = []

  mutating func row(_ fields: [String]) {
    for (index, field) in fields.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      append(field)
    }
    bytes += [0x0d, 0x0a]
  }

  private mutating func append(_ field: String) {
    let isFormula = field.utf8.first.map(Self.formulaStarts.contains) ?? false
    let isQuoted = isFormula || field.utf8.contains(where: Self.quotedBytes.contains)
    guard isQuoted else {
      bytes += field.utf8
      return
    }
    bytes.append(Self.quote)
    // A spreadsheet would compute what begins like this; after an apostrophe it is text.
    if isFormula { bytes.append(UInt8(ascii: "'")) }
    for byte in field.utf8 {
      if byte == Self.quote { bytes.append(Self.quote) }
      bytes.append(byte)
    }
    bytes.append(Self.quote)
  }

  private static let quote = UInt8(ascii: "\"")
  private static let quotedBytes: Set<UInt8> = [0x0a, 0x0d, 0x22, 0x2c]
  /// `=`, `+`, `-`, `@`, tab and carriage return: OWASP, CSV Injection.
  private static let formulaStarts: Set<UInt8> = [0x3d, 0x2b, 0x2d, 0x40, 0x09, 0x0d]
}
