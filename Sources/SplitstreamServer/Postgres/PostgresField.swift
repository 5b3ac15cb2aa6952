/// The bytes of one field or array element in PostgreSQL's binary format, and what they may be read
/// as.
///
/// It points into a result of libpq and lives no longer than that.
struct PostgresField {
  let bytes: UnsafeRawBufferPointer
  /// The object identifier of the type.
  let type: UInt32
  let column: Int

  func bool() throws(PostgresError) -> Bool {
    guard type == PostgresType.bool else { throw mismatch("boolean") }
    return try integer(UInt8.self) != 0
  }

  func int() throws(PostgresError) -> Int {
    switch type {
    case PostgresType.int8: try Int(integer(Int64.self))
    case PostgresType.int4: try Int(integer(Int32.self))
    case PostgresType.int2: try Int(integer(Int16.self))
    case PostgresType.oid: try Int(integer(UInt32.self))
    default: throw mismatch("integer")
    }
  }

  func double() throws(PostgresError) -> Double {
    switch type {
    case PostgresType.float8: try Double(bitPattern: integer(UInt64.self))
    case PostgresType.float4: try Double(Float(bitPattern: integer(UInt32.self)))
    default: throw mismatch("floating-point")
    }
  }

  func text() throws(PostgresError) -> String {
    guard isText else { throw mismatch("text") }
    return String(decoding: bytes, as: UTF8.self)
  }

  func byteArray() throws(PostgresError) -> [UInt8] {
    guard type == PostgresType.bytea || isText else { throw mismatch("bytea") }
    return Array(bytes)
  }

  func uuid() throws(PostgresError) -> PostgresUUID {
    guard type == PostgresType.uuid, bytes.count == 16 else { throw mismatch("uuid") }
    return PostgresUUID(
      high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  func timestamp() throws(PostgresError) -> Int {
    guard type == PostgresType.timestamptz || type == PostgresType.timestamp else {
      throw mismatch("timestamp")
    }
    // The server writes an infinite time as the least or greatest integer.
    let sum = try Int(integer(Int64.self)).addingReportingOverflow(PostgresType.epochMicroseconds)
    guard !sum.overflow, sum.partialValue != .min + PostgresType.epochMicroseconds else {
      throw .decoding("column \(column) is an infinite time")
    }
    return sum.partialValue
  }

  func json() throws(PostgresError) -> [UInt8] {
    switch type {
    case PostgresType.json: return Array(bytes)
    case PostgresType.jsonb:
      guard bytes.first == 1 else { throw mismatch("jsonb of version 1") }
      return Array(bytes.dropFirst())
    default: throw mismatch("json")
    }
  }

  /// The elements of a one-dimensional array without NULLs; its layout is
  /// `PostgresEncoder.appendArray`'s.
  func elements<T>(_ decode: (PostgresField) throws(PostgresError) -> T) throws(PostgresError)
    -> [T]
  {
    let dimensions = try integer(Int32.self, at: 0)
    let elementType = try integer(UInt32.self, at: 8)
    guard dimensions != 0 else { return [] }
    guard dimensions == 1 else { throw mismatch("one-dimensional array") }
    let count = try integer(Int32.self, at: 12)
    var elements: [T] = []
    var offset = 20
    for _ in 0..<max(count, 0) {
      let length = try Int(integer(Int32.self, at: offset))
      offset += 4
      guard length >= 0 else { throw .decoding("column \(column) is an array with a NULL") }
      guard length <= bytes.count - offset else { throw mismatch("array") }
      let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
      elements.append(try decode(PostgresField(bytes: slice, type: elementType, column: column)))
      offset += length
    }
    return elements
  }

  private var isText: Bool {
    switch type {
    case PostgresType.text, PostgresType.varchar, PostgresType.bpchar, PostgresType.name: true
    default: type >= PostgresType.firstOfUsers
    }
  }

  /// The whole field as one integer.
  private func integer<I: FixedWidthInteger>(_: I.Type) throws(PostgresError) -> I {
    guard bytes.count == MemoryLayout<I>.size else { throw mismatch("\(I.self)") }
    return try integer(I.self, at: 0)
  }

  private func integer<I: FixedWidthInteger>(_: I.Type, at offset: Int) throws(PostgresError) -> I {
    guard offset + MemoryLayout<I>.size <= bytes.count else { throw mismatch("array") }
    return I(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: I.self))
  }

  private func mismatch(_ expected: String) -> PostgresError {
    let hint = type == PostgresType.numeric ? " (numeric: cast it in the SQL)" : ""
    return .decoding("column \(column) has type \(type)\(hint), not \(expected)")
  }
}
