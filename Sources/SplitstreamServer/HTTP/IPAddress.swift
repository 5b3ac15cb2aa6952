import Glibc

/// An address of IPv6, or one of IPv4 as IPv6 maps it (RFC 4291 §2.5.5.2): 128 bits for both.
struct IPAddress: Hashable, Sendable, CustomStringConvertible {
  private(set) var high: UInt64
  private(set) var low: UInt64

  static let none = IPAddress(high: 0, low: 0)

  private static let mappedPrefix: UInt64 = 0x0000_ffff_0000_0000

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// - Parameter bits: of an IPv4 address, in the order of the machine.
  init(version4 bits: UInt32) {
    high = 0
    low = Self.mappedPrefix | UInt64(bits)
  }

  var isVersion4: Bool { high == 0 && low >> 32 == Self.mappedPrefix >> 32 }

  /// A numeric address and nothing else: no port, no brackets, no zone.
  init?(parsing text: some Collection<UInt8>) {
    // 45 characters hold the longest form, ::ffff:255.255.255.255 spelled in full.
    guard text.count <= 45, !text.contains(0) else { return nil }
    let terminated = text.map(CChar.init(bitPattern:)) + [0]
    var version4 = in_addr()
    if inet_pton(AF_INET, terminated, &version4) == 1 {
      self.init(version4: UInt32(bigEndian: version4.s_addr))
      return
    }
    var version6 = in6_addr()
    guard inet_pton(AF_INET6, terminated, &version6) == 1 else { return nil }
    self.init(version6)
  }

  init(_ address: in6_addr) {
    (high, low) = withUnsafeBytes(of: address) { bytes in
      (
        UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
  }

  var description: String {
    if isVersion4 {
      return stride(from: UInt64(24), through: 0, by: -8).map { "\(low >> $0 & 0xff)" }
        .joined(separator: ".")
    }
    var words = (high.bigEndian, low.bigEndian)
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    inet_ntop(AF_INET6, &words, &text, socklen_t(text.count))
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// All addresses that begin alike, RFC 4632: `10.0.0.0/8`, `fd00::/8`, or one address.
struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
  private let address: IPAddress
  /// Bits of the mapped form: 96 more than written for IPv4.
  private let prefixLength: Int

  /// - Returns: nil also when bits are set behind the prefix: that is a mistake in one of the two.
  init?(parsing text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(parsing: parts[0].utf8) else { return nil }
    let bits = address.isVersion4 && !parts[0].contains(":") ? 32 : 128
    var length = bits
    if parts.count == 2 {
      guard parts[1].utf8.allSatisfy(ASCII.isDigit), let number = Int(parts[1]), number <= bits
      else { return nil }
      length = number
    }
    self.address = address
    prefixLength = length + 128 - bits
    guard masked(address) == address else { return nil }
  }

  func contains(_ address: IPAddress) -> Bool { masked(address) == self.address }

  private func masked(_ address: IPAddress) -> IPAddress {
    // A shift by 64 or more gives zero.
    IPAddress(
      high: address.high & ~(UInt64.max >> UInt64(min(prefixLength, 64))),
      low: address.low & ~(UInt64.max >> UInt64(max(prefixLength - 64, 0))))
  }

  var description: String {
    let shift = address.isVersion4 && prefixLength >= 96 ? 96 : 0
    return "\(address)/\(prefixLength - shift)"
  }
}
