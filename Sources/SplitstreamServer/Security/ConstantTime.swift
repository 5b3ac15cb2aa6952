/// Comparisons that take the same time whichever bytes differ: how long one takes must not tell how
/// much of a secret was guessed. The lengths are no secret.
enum ConstantTime {
  static func isEqual(_ left: ArraySlice<UInt8>, _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    // Unsafe: both have `count` bytes, and all indices are below it.
    return left.withUnsafeBytes { left in
      right.withUnsafeBytes { right in
        var difference: UInt64 = 0
        var index = 0
        while index + 8 <= left.count {
          difference |=
            left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            ^ right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
          index += 8
        }
        while index < left.count {
          difference |= UInt64(left[index] ^ right[index])
          index += 1
        }
        return difference == 0
      }
    }
  }
}
