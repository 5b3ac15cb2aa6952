import CPostgres

/// One row of a result, read by column from 0. It lives as long as the result: only while it is
/// decoded.
///
/// Every getter throws `PostgresError.decoding` when the column has another type; those without
/// `OrNil` also for NULL.
struct Row {
  private let result: OpaquePointer
  private let index: Int32

  init(result: OpaquePointer, index: Int32) {
    self.result = result
    self.index = index
  }

  var columnCount: Int { Int(PQnfields(result)) }

  // MARK: Fields

  func isNull(_ column: Int) throws(PostgresError) -> Bool { try field(column) == nil }

  func bool(_ column: Int) throws(PostgresError) -> Bool { try present(boolOrNil(column), column) }
  func boolOrNil(_ column: Int) throws(PostgresError) -> Bool? { try field(column)?.bool() }

  /// `smallint`, `integer` or `bigint`. The sum of bigints is numeric: cast it.
  func int(_ column: Int) throws(PostgresError) -> Int { try present(intOrNil(column), column) }
  func intOrNil(_ column: Int) throws(PostgresError) -> Int? { try field(column)?.int() }

  /// `real` or `double precision`.
  func double(_ column: Int) throws(PostgresError) -> Double {
    try present(doubleOrNil(column), column)
  }
  func doubleOrNil(_ column: Int) throws(PostgresError) -> Double? { try field(column)?.double() }

  /// Any kind of text, an enumeration, a `name`.
  func text(_ column: Int) throws(PostgresError) -> String {
    try present(textOrNil(column), column)
  }
  func textOrNil(_ column: Int) throws(PostgresError) -> String? { try field(column)?.text() }

  /// `bytea`, or the UTF-8 bytes of a text.
  func bytes(_ column: Int) throws(PostgresError) -> [UInt8] {
    try present(bytesOrNil(column), column)
  }
  func bytesOrNil(_ column: Int) throws(PostgresError) -> [UInt8]? {
    try field(column)?.byteArray()
  }

  func uuid(_ column: Int) throws(PostgresError) -> PostgresUUID {
    try present(uuidOrNil(column), column)
  }
  func uuidOrNil(_ column: Int) throws(PostgresError) -> PostgresUUID? { try field(column)?.uuid() }

  /// Microseconds since 1970-01-01 UTC. An infinite time is refused.
  func timestamp(_ column: Int) throws(PostgresError) -> Int {
    try present(timestampOrNil(column), column)
  }
  func timestampOrNil(_ column: Int) throws(PostgresError) -> Int? {
    try field(column)?.timestamp()
  }

  /// The text of a `json` or `jsonb` document.
  func json(_ column: Int) throws(PostgresError) -> [UInt8] {
    try present(jsonOrNil(column), column)
  }
  func jsonOrNil(_ column: Int) throws(PostgresError) -> [UInt8]? { try field(column)?.json() }

  // MARK: Arrays of one dimension, without NULLs

  func bools(_ column: Int) throws(PostgresError) -> [Bool] {
    try elements(column) { element throws(PostgresError) in try element.bool() }
  }
  func ints(_ column: Int) throws(PostgresError) -> [Int] {
    try elements(column) { element throws(PostgresError) in try element.int() }
  }
  func doubles(_ column: Int) throws(PostgresError) -> [Double] {
    try elements(column) { element throws(PostgresError) in try element.double() }
  }
  func texts(_ column: Int) throws(PostgresError) -> [String] {
    try elements(column) { element throws(PostgresError) in try element.text() }
  }
  func byteArrays(_ column: Int) throws(PostgresError) -> [[UInt8]] {
    try elements(column) { element throws(PostgresError) in try element.byteArray() }
  }
  func uuids(_ column: Int) throws(PostgresError) -> [PostgresUUID] {
    try elements(column) { element throws(PostgresError) in try element.uuid() }
  }
  func timestamps(_ column: Int) throws(PostgresError) -> [Int] {
    try elements(column) { element throws(PostgresError) in try element.timestamp() }
  }

  // MARK: Access

  private func field(_ column: Int) throws(PostgresError) -> PostgresField? {
    let number = Int32(truncatingIfNeeded: column)
    guard column >= 0, column < columnCount else {
      throw .decoding("there is no column \(column): the result has \(columnCount)")
    }
    if PQgetisnull(result, index, number) == 1 { return nil }
    let start = PQgetvalue(result, index, number)
    let count = Int(PQgetlength(result, index, number))
    return PostgresField(
      bytes: UnsafeRawBufferPointer(start: start, count: count),
      type: PQftype(result, number), column: column)
  }

  private func elements<T>(
    _ column: Int, _ decode: (PostgresField) throws(PostgresError) -> T
  ) throws(PostgresError) -> [T] {
    try present(field(column), column).elements(decode)
  }

  private func present<T>(_ value: T?, _ column: Int) throws(PostgresError) -> T {
    guard let value else { throw .decoding("column \(column) is NULL") }
    return value
  }
}
