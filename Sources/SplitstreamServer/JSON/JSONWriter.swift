/// Writes one JSON text into bytes, commas by itself.
///
/// ```swift
/// var writer = JSONWriter()
/// writer.object { writer in
///   writer.member("id", experiment.id)
///   writer.member("variants", array: experiment.variants) { $0.write($1.key) }
/// }
/// ```
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  /// A value has been written at this level, so that the next one needs a comma before it.
  private var needsComma = false

  init(bytesReserved: Int = 256) {
    bytes.reserveCapacity(bytesReserved)
  }

  /// - Parameter bytes: whose memory is used again, unless somebody else still reads it.
  init(reusing bytes: consuming [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    self.bytes = bytes
  }

  // MARK: Containers

  mutating func object<Failure>(
    _ body: (inout JSONWriter) throws(Failure) -> Void
  ) throws(Failure) {
    beginObject()
    try body(&self)
    endObject()
  }

  mutating func array<Failure>(
    _ body: (inout JSONWriter) throws(Failure) -> Void
  ) throws(Failure) {
    beginArray()
    try body(&self)
    endArray()
  }

  mutating func array<Elements: Sequence, Failure>(
    _ elements: Elements, _ write: (inout JSONWriter, Elements.Element) throws(Failure) -> Void
  ) throws(Failure) {
    beginArray()
    for element in elements { try write(&self, element) }
    endArray()
  }

  mutating func beginObject() { begin(UInt8(ascii: "{")) }
  mutating func endObject() { end(UInt8(ascii: "}")) }
  mutating func beginArray() { begin(UInt8(ascii: "[")) }
  mutating func endArray() { end(UInt8(ascii: "]")) }

  // MARK: Members

  /// One member; a nil `value` is written as null.
  mutating func member(_ name: StaticString, _ value: some JSONWritable) {
    key(name)
    value.write(to: &self)
  }

  mutating func member<Failure>(
    _ name: StaticString, _ body: (inout JSONWriter) throws(Failure) -> Void
  ) throws(Failure) {
    key(name)
    try body(&self)
  }

  mutating func member<Elements: Sequence, Failure>(
    _ name: StaticString, array elements: Elements,
    _ write: (inout JSONWriter, Elements.Element) throws(Failure) -> Void
  ) throws(Failure) {
    key(name)
    try array(elements, write)
  }

  /// A member's name from the source, which needs no escapes.
  mutating func key(_ name: StaticString) {
    // Unsafe: the pointer of a literal is valid for ever.
    let characters = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    assert(!characters.contains(where: JSONEscapes.isNeeded), "a member's name that needs escapes")
    bytes.append(addingCapacity: characters.count + 4) { output in
      if needsComma { output.append(UInt8(ascii: ",")) }
      output.append(UInt8(ascii: "\""))
      output.append(copying: characters)
      output.append(UInt8(ascii: "\""))
      output.append(UInt8(ascii: ":"))
    }
    needsComma = false
  }

  mutating func key(_ name: String) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  // MARK: Values

  mutating func write(_ value: some JSONWritable) {
    value.write(to: &self)
  }

  mutating func string(_ value: String) {
    comma()
    JSONEscapes.append(value, to: &bytes)
    needsComma = true
  }

  /// A string given as UTF-8.
  mutating func string(_ characters: ArraySlice<UInt8>) {
    comma()
    JSONEscapes.append(characters.span, to: &bytes)
    needsComma = true
  }

  /// A string of which no character needs an escape.
  mutating func plainString(_ characters: UnsafeBufferPointer<UInt8>) {
    bytes.append(addingCapacity: characters.count + 3) { output in
      if needsComma { output.append(UInt8(ascii: ",")) }
      output.append(UInt8(ascii: "\""))
      output.append(copying: characters)
      output.append(UInt8(ascii: "\""))
    }
    needsComma = true
  }

  /// A string from the source, which needs no escapes.
  mutating func plainString(_ text: StaticString) {
    plainString(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// A string whose characters `append` puts after the opening quote: none that needs an escape.
  mutating func plainString(_ append: (inout [UInt8]) -> Void) {
    comma()
    bytes.append(UInt8(ascii: "\""))
    append(&bytes)
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  mutating func integer(_ value: some FixedWidthInteger) {
    comma()
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    let start = bytes.count
    var rest = UInt64(value.magnitude)
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
    needsComma = true
  }

  /// The shortest decimal that reads back as the same double. JSON has no infinity and no NaN.
  mutating func double(_ value: Double) {
    precondition(value.isFinite, "JSON has no way to write \(value)")
    comma()
    // "12.0", "5e-324", "1e+16": already in the grammar of RFC 8259 §6; ".0" and "+" say nothing.
    let digits = value.description.utf8
    let isWhole = digits.suffix(2).elementsEqual(".0".utf8)
    for byte in isWhole ? digits.dropLast(2) : digits[...] where byte != UInt8(ascii: "+") {
      bytes.append(byte)
    }
    needsComma = true
  }

  mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }
  mutating func null() { literal("null") }

  /// Bytes that are a JSON value already.
  mutating func raw(_ json: some Collection<UInt8>) {
    comma()
    bytes.append(contentsOf: json)
    needsComma = true
  }

  // MARK: Details

  private mutating func begin(_ opening: UInt8) {
    comma()
    bytes.append(opening)
  }

  private mutating func end(_ closing: UInt8) {
    bytes.append(closing)
    needsComma = true
  }

  private mutating func literal(_ word: StaticString) {
    comma()
    word.withUTF8Buffer { bytes.append(contentsOf: $0) }
    needsComma = true
  }

  private mutating func comma() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = false
  }
}

extension OutputSpan<UInt8> {
  /// Appends bytes for which there is room.
  mutating func append(copying bytes: UnsafeBufferPointer<UInt8>) {
    precondition(bytes.count <= freeCapacity, "no room for the bytes")
    guard let start = bytes.baseAddress else { return }
    // Unsafe: there is room behind the bytes written so far.
    withUnsafeMutableBufferPointer { buffer, count in
      (buffer.baseAddress! + count).initialize(from: start, count: bytes.count)
      count += bytes.count
    }
  }
}
