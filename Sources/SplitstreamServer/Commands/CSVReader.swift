/// Reads the records of a CSV text (RFC 4180) one by one, whatever chunks it arrives in.
///
/// Lines end with LF or CRLF, a byte order mark at the start is passed over, and so are empty
/// lines. Every record has as many fields as the first.
struct CSVReader {
  /// A quote that is never closed would otherwise swallow the rest of the file.
  static let recordBytesMax = 1024 * 1024

  private let source: any ByteSource
  private var chunk: [UInt8] = []
  private var position = 0
  private var line = 1
  private var isAtStart = true
  private var fieldCount: Int?

  init(_ source: any ByteSource) {
    self.source = source
  }

  /// Replaces `record` with the next one; false at the end.
  mutating func next(into record: inout CSVRecord) throws(TableError) -> Bool {
    repeat {
      guard try scan(into: &record) else { return false }
    } while record.isEmptyLine
    let expected = fieldCount ?? record.count
    fieldCount = expected
    guard record.count == expected else {
      throw .row(
        line: record.line,
        reason: "\(counted(record.count, "field")), but the first line has \(expected)")
    }
    return true
  }

  // MARK: Details

  /// Where the last byte has left us.
  private enum State {
    case fieldStart, unquoted, quoted, quoteInQuoted, carriageReturn
  }

  /// Reads up to the end of one line outside quotes, or to the end of the text; false when nothing
  /// was left.
  private mutating func scan(into record: inout CSVRecord) throws(TableError) -> Bool {
    record.begin(line: line)
    var state = State.fieldStart
    while let byte = try nextByte() {
      switch (state, byte) {
      case (.quoted, Byte.quote):
        state = .quoteInQuoted
      case (.quoted, _):
        if byte == Byte.lineFeed { line += 1 }
        record.bytes.append(byte)
      case (.quoteInQuoted, Byte.quote):
        record.bytes.append(byte)
        state = .quoted
      case (_, Byte.lineFeed):
        line += 1
        record.endField()
        return true
      case (.carriageReturn, _):
        throw .row(line: line, reason: "a carriage return without a line feed")
      case (_, Byte.carriageReturn):
        state = .carriageReturn
      case (_, Byte.comma):
        record.endField()
        state = .fieldStart
      case (.fieldStart, Byte.quote):
        record.isQuoted = true
        state = .quoted
      case (.unquoted, Byte.quote):
        throw .row(line: line, reason: "a quote inside a field that does not begin with one")
      case (.quoteInQuoted, _):
        throw .row(line: line, reason: "text after a closing quote")
      case (.fieldStart, _), (.unquoted, _):
        record.bytes.append(byte)
        state = .unquoted
      }
      if record.bytes.count + record.count > Self.recordBytesMax {
        throw .row(
          line: record.line,
          reason: "longer than \(Self.recordBytesMax) bytes: is a quote not closed?")
      }
    }
    switch state {
    case .quoted: throw .row(line: record.line, reason: "a quoted field is not closed")
    case .carriageReturn: throw .row(line: line, reason: "a carriage return without a line feed")
    case .fieldStart where record.count == 0 && !record.isQuoted: return false
    default: record.endField()
    }
    return true
  }

  private mutating func nextByte() throws(TableError) -> UInt8? {
    while position == chunk.count {
      guard let next = try source.nextChunk() else { return nil }
      (chunk, position) = (next, 0)
      if isAtStart { try skipByteOrderMark() }
    }
    defer { position += 1 }
    return chunk[position]
  }

  private mutating func skipByteOrderMark() throws(TableError) {
    isAtStart = false
    while chunk.count < Byte.byteOrderMark.count, Byte.byteOrderMark.starts(with: chunk),
      let next = try source.nextChunk()
    {
      chunk += next
    }
    if chunk.starts(with: Byte.byteOrderMark) { position = Byte.byteOrderMark.count }
  }

  private enum Byte {
    static let quote = UInt8(ascii: "\"")
    static let comma = UInt8(ascii: ",")
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
    static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
  }
}

/// The fields of one record, without quotes, in a buffer that is used again for the next.
struct CSVRecord {
  /// The line on which the record begins.
  fileprivate(set) var line = 0
  fileprivate var bytes: [UInt8] = []
  fileprivate var ends: [Int] = []
  fileprivate var isQuoted = false

  var count: Int { ends.count }

  subscript(field: Int) -> ArraySlice<UInt8> {
    bytes[(field == 0 ? 0 : ends[field - 1])..<ends[field]]
  }

  /// A line without a byte. `""` is a field.
  fileprivate var isEmptyLine: Bool { ends.count == 1 && bytes.isEmpty && !isQuoted }

  fileprivate mutating func begin(line: Int) {
    self.line = line
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    isQuoted = false
  }

  fileprivate mutating func endField() {
    ends.append(bytes.count)
  }
}
