/// What is read, written and read again is the same document.
@c(LLVMFuzzerTestOneInput)
public func fuzzJSON(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let bytes = fuzzInput(data, size)
  do throws(JSONError) {
    let value = try JSONValue(parsing: bytes, depthMax: 16)
    precondition(value.nesting <= 16, "nested deeper than allowed")
    let once = written(value)
    let twice = written(try JSONValue(parsing: once))
    precondition(once == twice, "written \(once), then \(twice)")
  } catch {
    precondition((0...bytes.count).contains(error.offset), "the fault is outside the text")
    _ = error.description
  }
  return 0
}

/// Written anew from the values that handlers see; numbers as received, since a double may round.
private func written(_ value: JSONValue) -> [UInt8] {
  var writer = JSONWriter()
  write(value, to: &writer)
  return writer.bytes
}

private func write(_ value: JSONValue, to writer: inout JSONWriter) {
  switch value.kind {
  case .object:
    writer.object { writer in
      for (key, member) in value.members {
        precondition(value[member: key]?.index == member.index, "a member is not found by its name")
        writer.key(key)
        write(member, to: &writer)
      }
    }
  case .array: writer.array(value.elements) { write($1, to: &$0) }
  case .string: writer.string(expect(value.string))
  case .number:
    check(number: value)
    writer.raw(value.source)
  case .bool: writer.bool(expect(value.bool))
  case .null: writer.null()
  }
}

/// An integer or a double that is written reads back as itself.
private func check(number: JSONValue) {
  if let integer = number.integer {
    var writer = JSONWriter()
    writer.integer(integer)
    precondition((try? JSONValue(parsing: writer.bytes))?.integer == integer, "\(integer)")
  }
  let text = String(decoding: number.source, as: UTF8.self)
  precondition(number.double == Double(text).flatMap { $0.isFinite ? $0 : nil }, "\(text)")
  if let double = number.double {
    var writer = JSONWriter()
    writer.double(double)
    precondition((try? JSONValue(parsing: writer.bytes))?.double == double, "\(double)")
  }
}

private func expect<T>(_ value: T?) -> T {
  guard let value else { preconditionFailure("a value is not of its kind") }
  return value
}
