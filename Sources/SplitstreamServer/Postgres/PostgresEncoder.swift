/// Writes values in PostgreSQL's binary format: big-endian, and inside containers with their length
/// before them.
struct PostgresEncoder {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ integer: some FixedWidthInteger) {
    let size = MemoryLayout.size(ofValue: integer)
    bytes.append(addingCapacity: size) { output in
      // Unsafe: there is room for the integer's bytes, and each is written.
      output.withUnsafeMutableBufferPointer { buffer, count in
        UnsafeMutableRawPointer(buffer.baseAddress! + count)
          .storeBytes(of: integer.bigEndian, as: type(of: integer))
        count += size
      }
    }
  }

  mutating func append(contentsOf more: some Sequence<UInt8>) {
    bytes.append(contentsOf: more)
  }

  /// Writes the value without its length. False, and nothing written, when it is NULL.
  mutating func append(_ value: PostgresValue) -> Bool {
    switch value {
    case .null: return false
    case .bool(let value): append(value ? 1 : 0 as UInt8)
    case .int(let value): append(value)
    case .double(let value): append(value.bitPattern)
    case .text(let value): append(contentsOf: value.utf8)
    case .bytes(let value), .utf8(let value): append(contentsOf: value)
    case .uuid(let high, let low):
      append(high)
      append(low)
    case .timestamp(let microseconds): appendTimestamp(microseconds)
    case .jsonb(let value): appendJSONB(value)
    case .bools(let values):
      appendArray(values, PostgresType.bool) { $0.append($1 ? 1 : 0 as UInt8) }
    case .ints(let values): appendArray(values, PostgresType.int8) { $0.append($1) }
    case .doubles(let values):
      appendArray(values, PostgresType.float8) { $0.append($1.bitPattern) }
    case .texts(let values):
      appendArray(values, PostgresType.text) { $0.append(contentsOf: $1.utf8) }
    case .utf8s(let values):
      appendArray(values, PostgresType.text) { $0.append(contentsOf: $1) }
    case .byteArrays(let values):
      appendArray(values, PostgresType.bytea) { $0.append(contentsOf: $1) }
    case .uuids(let values):
      bytes.reserveCapacity(bytes.count + 20 + values.count * 20)
      appendArray(values, PostgresType.uuid) {
        $0.append($1.high)
        $0.append($1.low)
      }
    case .timestamps(let values):
      appendArray(values, PostgresType.timestamptz) { $0.appendTimestamp($1) }
    case .jsonbs(let values):
      appendArray(values, PostgresType.jsonb) { $0.appendJSONB($1) }
    }
    return true
  }

  /// Writes the value with its length before it; a length of −1 is NULL.
  mutating func appendSized(_ value: PostgresValue) {
    appendSized { $0.append(value) }
  }

  private mutating func appendSized(_ content: (inout PostgresEncoder) -> Bool) {
    let start = bytes.count
    append(0 as Int32)
    let isPresent = content(&self)
    let length = isPresent ? Int32(bytes.count - start - 4) : -1
    withUnsafeBytes(of: length.bigEndian) { length in
      for index in 0..<4 { bytes[start + index] = length[index] }
    }
  }

  // `array_send` in PostgreSQL's arrayfuncs.c: dimensions, whether there are NULLs, element type,
  // then per dimension its length and lower bound. An empty array has no dimension.
  private mutating func appendArray<Element>(
    _ values: [Element?], _ type: UInt32, _ content: (inout PostgresEncoder, Element) -> Void
  ) {
    append(values.isEmpty ? 0 : 1 as Int32)
    append(values.contains { $0 == nil } ? 1 : 0 as Int32)
    append(type)
    if values.isEmpty { return }
    append(Int32(values.count))
    append(1 as Int32)
    for value in values {
      appendSized { encoder in
        guard let value else { return false }
        content(&encoder, value)
        return true
      }
    }
  }

  private mutating func appendTimestamp(_ microseconds: Int) {
    // Wraps only for times that no timestamptz can hold, which the server then refuses.
    append(microseconds &- PostgresType.epochMicroseconds)
  }

  private mutating func appendJSONB(_ document: [UInt8]) {
    append(1 as UInt8)  // The version of the format.
    append(contentsOf: document)
  }
}

/// The parameters of one execution, in one buffer, as libpq takes them.
struct PostgresParameters {
  private var encoder = PostgresEncoder()
  private var offsets: [Int] = []  // −1 is NULL.
  private var lengths: [Int32] = []

  init(_ values: [PostgresValue]) {
    for value in values {
      let start = encoder.bytes.count
      let isPresent = encoder.append(value)
      offsets.append(isPresent ? start : -1)
      lengths.append(Int32(encoder.bytes.count - start))
    }
    // An empty buffer may have no address, and libpq takes a value without address for NULL.
    encoder.append(0 as UInt8)
  }

  var byteCount: Int { encoder.bytes.count }

  /// Calls `body` with libpq's four arguments: the number of values, the values, their lengths,
  /// their formats.
  func withPointers<Result>(
    _ body: (
      Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
    ) -> Result
  ) -> Result {
    encoder.bytes.withUnsafeBytes { bytes in
      let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      let values = offsets.map { offset -> UnsafePointer<CChar>? in
        offset < 0 ? nil : start.map { $0 + offset }
      }
      let formats = [Int32](repeating: 1, count: offsets.count)
      return body(Int32(offsets.count), values, lengths, formats)
    }
  }
}
