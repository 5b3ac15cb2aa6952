/// Events as the Redis buffer holds them: a page of rows as PostgreSQL's binary COPY takes them,
/// after a version byte and their number.
///
/// Encoded once, when they are accepted; the drain only puts pages one after another.
enum EventCoding {
  /// Raised when the pages or the columns below change; the drain knows every version that may
  /// still be buffered.
  static let version: UInt8 = 2
  /// One row, without a number.
  private static let singleVersion: UInt8 = 1

  /// The columns of a row, in order.
  static let columns =
    "event_id, environment_id, event_key, unit_id, occurred_at, properties, client_event_id, late"
  static let columnCount = 8
  static let pageHeaderLength = 5

  /// A page of these events.
  static func encode(_ events: [Event]) -> [UInt8] {
    var page = EventPage()
    for event in events { page.append(event) }
    return page.bytes
  }

  /// How many events an entry of the buffer is; one of an unknown version counts as one.
  static func count(of entry: [UInt8]) -> Int { header(of: entry)?.count ?? 1 }

  /// What COPY takes of an entry; nil when it is not of a version this program knows.
  static func copyRows(of entry: [UInt8]) -> ArraySlice<UInt8>? {
    header(of: entry).map { entry[$0.length...] }
  }

  /// The rows of an entry; nil when they are not as many as it says, or not as they should be. A
  /// row that is alone need only tell whose it is: it may be one that PostgreSQL refused.
  static func rows(of entry: [UInt8]) -> [EventRow]? {
    guard let header = header(of: entry) else { return nil }
    if header.count == 1 {
      return EventRow(of: entry, from: header.length, isAlone: true).map { [$0] }
    }
    var rows: [EventRow] = []
    rows.reserveCapacity(min(header.count, entry.count / EventRow.bytesMin))
    var start = header.length
    while start < entry.count {
      guard rows.count < header.count, let row = EventRow(of: entry, from: start) else {
        return nil
      }
      rows.append(row)
      start = row.bytes.endIndex
    }
    return rows.count == header.count ? rows : nil
  }

  /// A page of some of the rows of others.
  static func page(of rows: [EventRow]) -> [UInt8] {
    rows.reduce(into: pageHeader(count: rows.count)) { $0 += $1.bytes }
  }

  /// Entries with those of their rows only that `isKept`, and how many went. One whose rows cannot
  /// be told stays as it is.
  static func filter(
    _ entries: some Sequence<[UInt8]>, isKept: (EventRow) -> Bool
  ) -> (entries: [[UInt8]], removed: Int) {
    var kept: [[UInt8]] = []
    var removed = 0
    for entry in entries {
      let rows = rows(of: entry) ?? []
      let remaining = rows.filter(isKept)
      removed += rows.count - remaining.count
      if remaining.count == rows.count {
        kept.append(entry)
      } else if !remaining.isEmpty {
        kept.append(page(of: remaining))
      }
    }
    return (kept, removed)
  }

  static func pageHeader(count: Int) -> [UInt8] {
    [version] + withUnsafeBytes(of: UInt32(count).bigEndian) { [UInt8]($0) }
  }

  private static func header(of entry: [UInt8]) -> (length: Int, count: Int)? {
    switch entry.first {
    case singleVersion: (1, 1)
    case version where entry.count >= pageHeaderLength:
      (pageHeaderLength, entry[1..<pageHeaderLength].reduce(0) { $0 << 8 | Int($1) })
    default: nil
    }
  }

  /// What a binary COPY begins and ends with.
  static let copyHeader: [UInt8] =
    [UInt8]("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8)
  static let copyTrailer: [UInt8] = [0xff, 0xff]
}

/// A page that grows: what one script call pushes.
struct EventPage {
  private(set) var bytes = EventCoding.pageHeader(count: 0)
  private(set) var count = 0

  init() {}

  init(bytesReserved: Int) { bytes.reserveCapacity(bytesReserved) }

  /// Appends an event as a row.
  ///
  /// - Returns: how long the row is.
  @discardableResult
  mutating func append(_ event: Event) -> Int {
    let start = bytes.count
    integer(Int16(EventCoding.columnCount))
    field(event.id)
    field(event.environmentID)
    field(event.eventKey.utf8)
    field(event.unitID.bytes)
    integer(Int32(8))
    integer(Int64(event.occurredAt.microseconds - Self.secondsTo2000 * 1_000_000))
    if let properties = event.properties {
      integer(Int32(properties.count + 1))
      // jsonb's binary form: the version of the form, then the text.
      bytes.append(1)
      bytes.append(contentsOf: properties)
    } else {
      integer(Int32(-1))
    }
    if let clientEventID = event.clientEventID {
      field(clientEventID.utf8)
    } else {
      integer(Int32(-1))
    }
    integer(Int32(1))
    bytes.append(event.isLate ? 1 : 0)
    count += 1
    for place in 0..<4 { bytes[1 + place] = UInt8(truncatingIfNeeded: count >> (24 - 8 * place)) }
    return bytes.count - start
  }

  /// PostgreSQL counts from 2000-01-01.
  private static let secondsTo2000 = 946_684_800

  private mutating func integer(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  private mutating func field(_ id: ULID) {
    integer(Int32(16))
    integer(id.high)
    integer(id.low)
  }

  private mutating func field(_ content: some Collection<UInt8>) {
    integer(Int32(content.count))
    bytes.append(contentsOf: content)
  }
}

/// One row of a page, looked at where it lies.
struct EventRow {
  let bytes: ArraySlice<UInt8>
  /// Where the unit's bytes are.
  private let unitRange: Range<Int>

  /// The shortest that `init` takes: the number of fields, two ids and the sizes of the others.
  static let bytesMin = 2 + 2 * 20 + 6 * 4

  /// The row that begins at `start`; nil when it is cut off or has not its columns.
  ///
  /// - Parameter isAlone: all of the entry is its row, whatever follows the unit.
  init?(of entry: [UInt8], from start: Int, isAlone: Bool = false) {
    let read = entry.withUnsafeBytes { bytes -> (end: Int, unit: Range<Int>)? in
      func number<Number: FixedWidthInteger>(at place: Int, _ type: Number.Type) -> Int? {
        guard place + MemoryLayout<Number>.size <= bytes.count else { return nil }
        return Int(Number(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: type)))
      }
      guard isAlone || number(at: start, Int16.self) == EventCoding.columnCount else { return nil }
      var end = start + 2
      var unit = 0..<0
      for column in 0..<EventCoding.columnCount {
        guard let length = number(at: end, Int32.self), length >= -1 else { return nil }
        let field = end + 4..<end + 4 + max(length, 0)
        guard field.upperBound <= bytes.count else { return nil }
        // Both ids.
        if column < 2, length != 16 { return nil }
        end = field.upperBound
        if column == 3 {
          unit = field
          if isAlone { return (bytes.count, unit) }
        }
      }
      return (end, unit)
    }
    guard let read else { return nil }
    bytes = entry[start..<read.end]
    unitRange = read.unit
  }

  var eventID: ULID { id(at: 6) }
  var environmentID: ULID { id(at: 26) }
  var unit: ArraySlice<UInt8> { bytes[unitRange] }
  /// The time within the event's id.
  var receivedAt: Timestamp { eventID.time }

  private func id(at offset: Int) -> ULID {
    bytes.withUnsafeBytes { bytes in
      func word(_ place: Int) -> UInt64 {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      }
      return ULID(high: word(offset), low: word(offset + 8))
    }
  }
}
