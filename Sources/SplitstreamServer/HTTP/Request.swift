/// A request with its whole body, as a view into the bytes it arrived in.
///
/// It shares those bytes with the connection by copy-on-write: nothing is copied unless the
/// connection reads more while the request lives.
struct Request: Sendable {
  let method: HTTPMethod
  /// The minor version of HTTP/1: 0, or 1 for that and all later ones.
  let minorVersion: Int
  /// What the router took from the path, percent-decoded, in the template's order.
  var pathParameters: [String] = []
  /// Who sent it; set by whoever knows the connection.
  var origin = RequestOrigin.unknown
  /// How deeply a structured body may be nested; set by whoever routed.
  var nestingMax = 64

  private let bytes: [UInt8]
  /// Where the request line starts in `bytes`; the offsets of target and fields count from here.
  private let start: Int
  private let target: RequestTarget
  private let fields: [HeaderField]
  private let bodyRange: Range<Int>

  init(
    _ line: RequestLine, fields: [HeaderField], body: Range<Int>, in bytes: [UInt8], from start: Int
  ) {
    method = line.method
    minorVersion = line.minorVersion
    target = line.target
    self.fields = fields
    bodyRange = body
    self.bytes = bytes
    self.start = start
  }

  // MARK: Target

  /// The path as received, percent-encoded: "/" at least, or "*" for `OPTIONS *`.
  var rawPath: ArraySlice<UInt8> {
    // RFC 9112 §3.2.2: `http://host` without a path means "/".
    target.path.isEmpty ? Self.rootPath : bytes[absolute(target.path)]
  }
  private static let rootPath: ArraySlice<UInt8> = [ASCII.slash]

  /// What follows the first "?", percent-encoded; empty without one.
  var rawQuery: ArraySlice<UInt8> { bytes[absolute(target.query)] }

  /// The items of the query in their order, decoded: `a=1&b` is a with "1" and b with "".
  func queryItems() throws(HTTPError) -> [(name: String, value: String)] {
    var items: [(name: String, value: String)] = []
    for item in rawQuery.split(separator: UInt8(ascii: "&")) {
      let name = item.prefix { $0 != ASCII.equals }
      let value = item[name.endIndex...].dropFirst()
      items.append(
        (
          try PercentCoding.decode(name, plusIsSpace: true),
          try PercentCoding.decode(value, plusIsSpace: true)
        ))
    }
    return items
  }

  // MARK: Fields

  /// The value of the first field of this name, without the white space around it.
  ///
  /// - Parameter name: in lower case; the request's spelling does not matter.
  func header(_ name: StaticString) -> ArraySlice<UInt8>? {
    field(name).map { bytes[absolute(fields[$0].value)] }
  }

  /// The place of the first field of this name. Few have the length of the name that is looked for.
  private func field(_ name: StaticString, from first: Int = 0) -> Int? {
    let length = name.utf8CodeUnitCount
    var place = first
    while place < fields.count {
      let range = fields[place].name
      if range.count == length && bytes.matches(name, in: absolute(range)) { return place }
      place += 1
    }
    return nil
  }

  /// The same as text; bytes that are not UTF-8 show as U+FFFD.
  func headerText(_ name: StaticString) -> String? {
    header(name).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The values of all fields of this name, in their order.
  func headerValues(_ name: StaticString) -> [ArraySlice<UInt8>] {
    fields.compactMap { field in
      bytes.matches(name, in: absolute(field.name)) ? bytes[absolute(field.value)] : nil
    }
  }

  /// The value of a field that must not be given twice; nil also when it is.
  func onlyHeader(_ name: StaticString) -> ArraySlice<UInt8>? {
    guard let place = field(name), field(name, from: place + 1) == nil else { return nil }
    return bytes[absolute(fields[place].value)]
  }

  // MARK: Body

  /// The content, its transfer coding removed.
  var body: ArraySlice<UInt8> { bytes[bodyRange] }
  var hasBody: Bool { !bodyRange.isEmpty }

  private func absolute(_ range: Range<UInt32>) -> Range<Int> {
    start + Int(range.lowerBound)..<start + Int(range.upperBound)
  }
}
