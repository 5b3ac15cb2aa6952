/// An event as the Redis buffer holds it: a version byte, then the row as PostgreSQL's binary COPY takes it.
///
/// Encoded once, when the event is accepted; the drain only puts entries one after another.
enum EventCoding {
  /// Raised when the columns below change; the drain knows every version that may still be buffered.
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
