import Glibc

/// The header that a proxy puts before the bytes of its client, versions 1 and 2 of
/// haproxy.org/download/2.8/doc/proxy-protocol.txt.
enum ProxyHeader {
  /// What the bytes received so far are.
  enum Parsed: Equatable {
    /// The beginning of a header.
    case incomplete
    case malformed
    /// A whole one.
    ///
    /// - length: in bytes; what follows is the client's.
    /// - source: nil when the proxy speaks for itself, or for no client that has an address.
    case complete(length: Int, source: IPAddress?)
  }

  /// A longer header is malformed. Version 2 may carry more than addresses, which we pass over.
  static let bytesMax = 4_096
  /// §2.1: the longest header of version 1, its line end included.
  private static let lineBytesMax = 107
  private static let signature: [UInt8] = [
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
  ]
  private static let lineStart = [UInt8]("PROXY ".utf8)

  static func parse(_ bytes: [UInt8]) -> Parsed {
    if bytes.starts(with: signature) { return parseVersion2(bytes) }
    if bytes.starts(with: lineStart) { return parseVersion1(bytes) }
    let isBeginning = signature.starts(with: bytes) || lineStart.starts(with: bytes)
    return isBeginning ? .incomplete : .malformed
  }

  /// §2.1: `PROXY TCP4 192.168.0.1 192.168.0.11 56324 443` and CR LF.
  private static func parseVersion1(_ bytes: [UInt8]) -> Parsed {
    let line = bytes.prefix(lineBytesMax)
    guard let end = line.firstIndex(of: ASCII.lineFeed) else {
      return line.count < lineBytesMax ? .incomplete : .malformed
    }
    guard line[end - 1] == ASCII.carriageReturn else { return .malformed }
    let words = line[lineStart.count..<end - 1]
      .split(separator: ASCII.space, omittingEmptySubsequences: false)
    let length = end + 1
    // What follows UNKNOWN must be ignored.
    if words[0].elementsEqual("UNKNOWN".utf8) { return .complete(length: length, source: nil) }
    let isVersion4 = words[0].elementsEqual("TCP4".utf8)
    guard isVersion4 || words[0].elementsEqual("TCP6".utf8), words.count == 5,
      let source = IPAddress(parsing: words[1]), words[1].contains(ASCII.colon) != isVersion4,
      IPAddress(parsing: words[2]) != nil, words[2].contains(ASCII.colon) != isVersion4,
      isPort(words[3]), isPort(words[4])
    else { return .malformed }
    return .complete(length: length, source: source)
  }

  private static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
    guard 1...5 ~= text.count, text.allSatisfy(ASCII.isDigit) else { return false }
    guard text.count == 1 || text.first != ASCII.zero else { return false }
    return text.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) } <= 65_535
  }

  /// §2.2: the signature, version and command, family, length, addresses, and what else there is.
  private static func parseVersion2(_ bytes: [UInt8]) -> Parsed {
    guard bytes.count >= 16 else { return .incomplete }
    let length = 16 + Int(bytes[14]) << 8 + Int(bytes[15])
    guard bytes[12] == 0x20 || bytes[12] == 0x21, length <= bytesMax else { return .malformed }
    let source: IPAddress?
    // Command LOCAL: the proxy asks by itself, whatever addresses it gives.
    switch bytes[12] == 0x20 ? 0 : bytes[13] {
    case 0x11:
      guard length >= 16 + 12 else { return .malformed }
      guard bytes.count >= 20 else { return .incomplete }
      source = IPAddress(version4: UInt32(number(bytes[16..<20])))
    case 0x21:
      guard length >= 16 + 36 else { return .malformed }
      guard bytes.count >= 32 else { return .incomplete }
      source = IPAddress(high: number(bytes[16..<24]), low: number(bytes[24..<32]))
    // No family, or a client over something else than TCP.
    case 0x00, 0x12, 0x22, 0x31, 0x32: source = nil
    default: return .malformed
    }
    return bytes.count < length ? .incomplete : .complete(length: length, source: source)
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// Takes a PROXY header from a socket, and not a byte of what follows: that may be TLS.
struct ProxyHeaderReader {
  private var bytes: [UInt8] = []

  enum Outcome: Equatable {
    case incomplete
    /// The peer is gone, or has sent something else.
    case malformed
    case complete(source: IPAddress?)
  }

  mutating func receive(from fd: Int32) -> Outcome {
    let before = bytes.count
    // Looked at first: only the header tells where it ends.
    let room = ProxyHeader.bytesMax - before
    bytes.append(contentsOf: repeatElement(0, count: room))
    let count = receive(from: fd, room, Int32(MSG_PEEK), at: before)
    bytes.removeSubrange((before + max(count, 0))...)
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return .incomplete }
    guard count > 0 else { return .malformed }
    switch ProxyHeader.parse(bytes) {
    case .malformed: return .malformed
    case .incomplete:
      // Then all that has come is header, and must be taken: else the loop would tell of it again.
      return receive(from: fd, count, 0, at: before) == count ? .incomplete : .malformed
    case .complete(let length, let source):
      let rest = length - before
      return receive(from: fd, rest, 0, at: before) == rest
        ? .complete(source: source) : .malformed
    }
  }

  /// Unsafe: the kernel writes into this array's own bytes, of which there are `count` from
  /// `start`.
  private mutating func receive(
    from fd: Int32, _ count: Int, _ flags: Int32, at start: Int
  ) -> Int {
    bytes.withUnsafeMutableBytes { buffer in
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + count])
      return recv(fd, room.baseAddress, room.count, flags)
    }
  }
}
