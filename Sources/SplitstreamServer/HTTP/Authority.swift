import Glibc

/// `uri-host [ ":" port ]`, RFC 9110 §7.2 and RFC 3986 §3.2: the value of Host. User information is
/// not part of it.
enum Authority {
  static func isValid(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    if index < range.upperBound, bytes[index] == UInt8(ascii: "[") {
      guard let close = bytes[range].firstIndex(of: UInt8(ascii: "]")),
        isAddress(bytes[index + 1..<close])
      else { return false }
      index = close + 1
    } else {
      while index < range.upperBound, ASCII.registeredName.contains(bytes[index]) {
        if bytes[index] == ASCII.percent {
          guard index + 2 < range.upperBound, ASCII.hexValue(bytes[index + 1]) != nil,
            ASCII.hexValue(bytes[index + 2]) != nil
          else { return false }
        }
        index += 1
      }
    }
    if index == range.upperBound { return true }
    return bytes[index] == ASCII.colon
      && bytes[index + 1..<range.upperBound].allSatisfy(ASCII.isDigit)
  }

  /// An IPv6 address as text. No zone: RFC 6874 keeps those out of Host.
  private static func isAddress(_ text: ArraySlice<UInt8>) -> Bool {
    // 45 characters hold the longest form, ::ffff:255.255.255.255 spelled in full.
    guard text.count <= 45, !text.contains(0) else { return false }
    let terminated = text.map(CChar.init(bitPattern:)) + [0]
    var address = in6_addr()
    return inet_pton(AF_INET6, terminated, &address) == 1
  }
}
