/// A number of a JSON text by its decimal value, however it is written: 100, 1e2 and 100.0 are one,
/// 9007199254740993 and 9007199254740992 are two.
struct ExactNumber: Hashable, Comparable, Sendable {
  /// Zero has none of the signs.
  private var isNegative = false
  /// The power of ten of the first digit that is not zero; the least of all for zero.
  private(set) var magnitude = Int.min
  /// The first 18 digits from there on, filled up with zeros.
  private var head: UInt64 = 0
  /// The digits after those, without zeros at the end.
  private var tail: [UInt8] = []

  private static let headDigits = 18
  /// Operands of an audience are at most so far from 1, and always told apart from what is further.
  static let operandMagnitudeMax = 1_000_000
  /// Exponents further out are not told apart.
  private static let exponentMax = 1 << 40

  /// - Parameter number: a number by RFC 8259 §6.
  init(_ number: Span<UInt8>) {
    var position = 0
    if number[0] == UInt8(ascii: "-") {
      isNegative = true
      position = 1
    }
    var digitCount = 0
    var zeros = 0
    var isFraction = false
    // Of the first digit, counted from the point.
    var place = 0
    while position < number.count, number[position] | 0x20 != UInt8(ascii: "e") {
      let byte = number[position]
      position += 1
      if byte == UInt8(ascii: ".") {
        isFraction = true
        continue
      }
      let isLeading = digitCount == 0 && byte == UInt8(ascii: "0")
      if isFraction {
        if isLeading { place -= 1 }
      } else if !isLeading {
        place += 1
      }
      if isLeading { continue }
      append(byte - UInt8(ascii: "0"), at: &digitCount, after: &zeros)
    }
    guard digitCount > 0 else {
      isNegative = false
      return
    }
    for _ in min(digitCount, Self.headDigits)..<Self.headDigits { head *= 10 }
    magnitude = place - 1 + Self.exponent(number, from: position)
  }

  /// Takes the next digit; in the tail, zeros wait for a digit that follows them.
  private mutating func append(_ digit: UInt8, at count: inout Int, after zeros: inout Int) {
    count += 1
    if count <= Self.headDigits {
      head = head * 10 + UInt64(digit)
    } else if digit == 0 {
      zeros += 1
    } else {
      for _ in 0..<zeros { tail.append(0) }
      zeros = 0
      tail.append(digit)
    }
  }

  private static func exponent(_ number: Span<UInt8>, from letter: Int) -> Int {
    var value = 0
    for position in min(letter + 1, number.count)..<number.count {
      let digit = number[position] &- UInt8(ascii: "0")
      if digit <= 9 { value = min(value * 10 + Int(digit), exponentMax) }
    }
    let isNegative = letter + 1 < number.count && number[letter + 1] == UInt8(ascii: "-")
    return isNegative ? -value : value
  }

  var isZero: Bool { magnitude == .min }

  static func < (left: ExactNumber, right: ExactNumber) -> Bool { compare(left, right) < 0 }

  /// Below, at or above zero.
  static func compare(_ left: ExactNumber, _ right: ExactNumber) -> Int {
    guard left.isNegative == right.isNegative else { return left.isNegative ? -1 : 1 }
    let order = compareAbsolutes(left, right)
    return left.isNegative ? -order : order
  }

  private static func compareAbsolutes(_ left: ExactNumber, _ right: ExactNumber) -> Int {
    if left.magnitude != right.magnitude { return left.magnitude < right.magnitude ? -1 : 1 }
    if left.head != right.head { return left.head < right.head ? -1 : 1 }
    return ByteOrder.compare(left.tail.span, right.tail.span)
  }
}
