/// Makes keys of the contract (`^[a-z0-9._-]{1,n}$`) out of the names that people give to files,
/// columns and variants.
enum KeyName {
  static let variantBytesMax = 64
  static let experimentBytesMax = 128
  static let metricBytesMax = 128

  static func isValid(_ key: String, bytesMax: Int) -> Bool {
    (1...bytesMax).contains(key.utf8.count) && key.utf8.allSatisfy(isAllowed)
  }

  /// `Gate 30%` as `gate-30`: small letters, and one dash for each run of other characters, none at
  /// the ends. A name that is a key already stays as it is. Nil when nothing is left.
  static func make(from name: String, bytesMax: Int) -> String? {
    if isValid(name, bytesMax: bytesMax) { return name }
    let dash = UInt8(ascii: "-")
    var bytes: [UInt8] = []
    for byte in name.utf8 {
      let small = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
      if isAllowed(small) {
        bytes.append(small)
      } else if let last = bytes.last, last != dash {
        bytes.append(dash)
      }
    }
    bytes = Array(bytes.prefix(bytesMax))
    while bytes.last == dash { bytes.removeLast() }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// `data/Cookie Cats.csv.gz` as `cookie-cats`.
  static func make(fromFile path: String) -> String? {
    var name = path.split(separator: "/").last.map(String.init) ?? ""
    for ending in [".gz", ".csv"] where name.lowercased().hasSuffix(ending) {
      name.removeLast(ending.count)
    }
    return make(from: name, bytesMax: experimentBytesMax)
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: false
    }
  }
}
