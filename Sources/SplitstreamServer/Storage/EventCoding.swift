/// An event as the Redis buffer holds it: a version byte, then the row as PostgreSQL's binary COPY
/// takes it.
///
/// Encoded once, when the event is accepted; the drain only puts entries one after another.
enum EventCoding {
  /// Raised when the columns below change; the drain knows every version that may still be
  /// buffered.
  static let version: UInt8 = 1

  /// The columns of an entry, in order.
  static let columns =
    "event_id, environment_id, event_key, unit_id, occurred_at, properties, client_event_id, late"
  private static let columnCount = 8

  static func encode(_ event: Event) -> [UInt8] {
    var row = BinaryRow(bytesReserved: 160 + (event.properties?.count ?? 0))
    row.bytes.append(version)
    row.integer(Int16(columnCount))
    row.field(event.id)
    row.field(event.environmentID)
    row.field(event.eventKey.utf8)
    row.field(event.unitID.bytes)
    row.integer(Int32(8))
    row.integer(Int64(event.occurredAt.microseconds - secondsTo2000 * 1_000_000))
    if let properties = event.properties {
      row.integer(Int32(properties.count + 1))
      // jsonb's binary form: the version of the form, then the text.
      row.bytes.append(1)
      row.bytes.append(contentsOf: properties)
    } else {
      row.integer(Int32(-1))
    }
    if let clientEventID = event.clientEventID {
      row.field(clientEventID.utf8)
    } else {
      row.integer(Int32(-1))
    }
    row.integer(Int32(1))
    row.bytes.append(event.isLate ? 1 : 0)
    return row.bytes
  }

  /// The row within an entry; nil when it is not of a version this program knows.
  static func row(of entry: [UInt8]) -> ArraySlice<UInt8>? {
    entry.first == version ? entry[1...] : nil
  }

  /// The event's id, the first field.
  static func eventID(_ entry: [UInt8]) -> ULID? { id(at: idField, in: entry) }

  /// When the event was received: the time within its id.
  static func receivedAt(_ entry: [UInt8]) -> Timestamp? { eventID(entry)?.time }

  /// Whose event it is.
  static func subject(of entry: [UInt8]) -> (environment: ULID, unit: ArraySlice<UInt8>)? {
    guard row(of: entry) != nil, let environment = id(at: idField + 20, in: entry),
      let key = field(at: idField + 40, in: entry), let unit = field(at: key.endIndex, in: entry)
    else { return nil }
    return (environment, unit)
  }

  /// Where the first field begins: after the version and the number of fields.
  private static let idField = 3

  private static func field(at start: Int, in entry: [UInt8]) -> ArraySlice<UInt8>? {
    guard start + 4 <= entry.count else { return nil }
    let length = entry[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
    let content = start + 4
    return content + length <= entry.count ? entry[content..<content + length] : nil
  }

  private static func id(at start: Int, in entry: [UInt8]) -> ULID? {
    guard let bytes = field(at: start, in: entry), bytes.count == 16 else { return nil }
    let words = [bytes.prefix(8), bytes.suffix(8)].map { $0.reduce(0) { $0 << 8 | UInt64($1) } }
    return ULID(high: words[0], low: words[1])
  }

  /// What a binary COPY begins and ends with.
  static let copyHeader: [UInt8] =
    [UInt8]("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8)
  static let copyTrailer: [UInt8] = [0xff, 0xff]

  /// PostgreSQL counts from 2000-01-01.
  private static let secondsTo2000 = 946_684_800

  private struct BinaryRow {
    var bytes: [UInt8] = []

    init(bytesReserved: Int) { bytes.reserveCapacity(bytesReserved) }

    mutating func integer(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func field(_ id: ULID) {
      integer(Int32(16))
      integer(id.high)
      integer(id.low)
    }

    mutating func field(_ content: some Collection<UInt8>) {
      integer(Int32(content.count))
      bytes.append(contentsOf: content)
    }
  }
}
