/// Percent-decoding of one path segment or query item, RFC 3986 §2.1. Called once, after splitting.
enum PercentCoding {
  static func decode(
    _ encoded: ArraySlice<UInt8>, plusIsSpace: Bool = false
  ) throws(HTTPError) -> String {
    let bytes = try decodedBytes(encoded, plusIsSpace: plusIsSpace)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .content(.badRequest, "The request target is not UTF-8 once it is decoded.")
    }
    return text
  }

  static func decodedBytes(
    _ encoded: ArraySlice<UInt8>, plusIsSpace: Bool = false
  ) throws(HTTPError) -> [UInt8] {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(encoded.count)
    var index = encoded.startIndex
    while index < encoded.endIndex {
      var byte = encoded[index]
      if byte == ASCII.percent {
        guard index + 2 < encoded.endIndex, let high = ASCII.hexValue(encoded[index + 1]),
          let low = ASCII.hexValue(encoded[index + 2])
        else { throw .content(.badRequest, "The request target has a malformed percent-escape.") }
        byte = high << 4 | low
        index += 2
      } else if plusIsSpace && byte == UInt8(ascii: "+") {
        byte = ASCII.space
      }
      // PostgreSQL's text cannot hold NUL, and nothing that we name has one.
      guard byte != 0 else { throw .content(.badRequest, "The request target contains NUL.") }
      decoded.append(byte)
      index += 1
    }
    return decoded
  }
}
