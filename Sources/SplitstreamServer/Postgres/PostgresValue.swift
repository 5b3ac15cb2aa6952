/// A parameter of a statement or a field of a COPY row, sent in PostgreSQL's binary format.
///
/// Arrays may hold NULLs: an array of optionals is taken as it is, and one without converts by
/// itself.
enum PostgresValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// `bigint`.
  case int(Int)
  /// `double precision`.
  case double(Double)
  /// `text`, `varchar`, `json` and enumerations.
  case text(String)
  /// `bytea`.
  case bytes([UInt8])
  case uuid(high: UInt64, low: UInt64)
  /// `timestamptz`: microseconds since 1970-01-01 UTC.
  case timestamp(microseconds: Int)
  /// `jsonb`: the text of a JSON document.
  case jsonb([UInt8])
  /// `text` from bytes that are known to be UTF-8, without a String in between.
  case utf8([UInt8])
  case bools([Bool?])
  case ints([Int?])
  case doubles([Double?])
  case texts([String?])
  /// `text[]` from bytes that are known to be UTF-8.
  case utf8s([ArraySlice<UInt8>?])
  case byteArrays([[UInt8]?])
  case uuids([PostgresUUID?])
  /// Microseconds since 1970-01-01 UTC.
  case timestamps([Int?])
  case jsonbs([[UInt8]?])

  static func uuid(_ uuid: PostgresUUID) -> PostgresValue { .uuid(high: uuid.high, low: uuid.low) }
  static func optional(int value: Int?) -> PostgresValue { value.map(Self.int) ?? .null }
  static func optional(double value: Double?) -> PostgresValue { value.map(Self.double) ?? .null }
  static func optional(text value: String?) -> PostgresValue { value.map(Self.text) ?? .null }
  static func optional(bytes value: [UInt8]?) -> PostgresValue { value.map(Self.bytes) ?? .null }
  static func optional(jsonb value: [UInt8]?) -> PostgresValue { value.map(Self.jsonb) ?? .null }
  static func optional(uuid value: PostgresUUID?) -> PostgresValue { value.map(Self.uuid) ?? .null }
  static func optional(timestamp microseconds: Int?) -> PostgresValue {
    microseconds.map(Self.timestamp) ?? .null
  }
}

/// The 16 bytes of a `uuid`, most significant first.
struct PostgresUUID: Sendable, Hashable {
  let high: UInt64
  let low: UInt64
}

/// The object identifiers of the built-in types that values have; fixed since PostgreSQL 8.3
/// (`pg_type.dat`).
enum PostgresType {
  static let bool: UInt32 = 16
  static let bytea: UInt32 = 17
  static let name: UInt32 = 19
  static let int8: UInt32 = 20
  static let int2: UInt32 = 21
  static let int4: UInt32 = 23
  static let text: UInt32 = 25
  static let oid: UInt32 = 26
  static let json: UInt32 = 114
  static let float4: UInt32 = 700
  static let float8: UInt32 = 701
  static let bpchar: UInt32 = 1042
  static let varchar: UInt32 = 1043
  static let timestamp: UInt32 = 1114
  static let timestamptz: UInt32 = 1184
  static let numeric: UInt32 = 1700
  static let uuid: UInt32 = 2950
  static let jsonb: UInt32 = 3802
  /// Types made by users, such as enumerations and domains, begin here.
  static let firstOfUsers: UInt32 = 16384

  /// The binary format counts time from 2000-01-01 UTC.
  static let epochMicroseconds = 946_684_800_000_000
}
