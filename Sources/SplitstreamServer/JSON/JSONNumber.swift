/// Numbers as they stand in a JSON text: found, and converted exactly or not at all.
enum JSONNumber {
  /// The end of the number that begins at `start`, or nil when none does (RFC 8259 §6).
  static func end(in text: Span<UInt8>, from start: Int) -> Int? {
    var position = start
    if position < text.count, text[position] == UInt8(ascii: "-") { position += 1 }
    let integer = position
    skipDigits(text, &position)
    guard position > integer, position == integer + 1 || text[integer] != UInt8(ascii: "0") else {
      return nil
    }
    if position < text.count, text[position] == UInt8(ascii: ".") {
      position += 1
      let fraction = position
      skipDigits(text, &position)
      guard position > fraction else { return nil }
    }
    if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < text.count,
        text[position] == UInt8(ascii: "+") || text[position] == UInt8(ascii: "-")
      {
        position += 1
      }
      let exponent = position
      skipDigits(text, &position)
      guard position > exponent else { return nil }
    }
    return position
  }

  /// The integer that a checked number is, however it is written (1, 1.0, 1e2), or nil.
  static func integer(_ number: Span<UInt8>) -> Int? {
    let parts = JSONDecimal(number)
    guard parts.exponent >= 0, !parts.isTruncated else { return nil }
    var magnitude = parts.digits
    if magnitude == 0 { return 0 }
    for _ in 0..<parts.exponent {
      // Ends after at most 20 rounds, whatever the exponent: the product no longer fits.
      let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
      if overflow { return nil }
      magnitude = product
    }
    if parts.isNegative {
      return magnitude <= Int.min.magnitude ? Int(truncatingIfNeeded: 0 &- magnitude) : nil
    }
    return Int(exactly: magnitude)
  }

  /// The nearest double of a checked number, or nil when it is beyond the finite ones.
  static func double(_ number: Span<UInt8>) -> Double? {
    let parts = JSONDecimal(number)
    if !parts.isTruncated, parts.digits <= 1 << 53, abs(parts.exponent) < powersOfTen.count {
      // Both operands are exact, so that the one rounding of IEEE 754 is the right one (Clinger
      // 1990).
      let digits = Double(parts.digits)
      let power = powersOfTen[abs(parts.exponent)]
      let magnitude = parts.exponent < 0 ? digits / power : digits * power
      return parts.isNegative ? -magnitude : magnitude
    }
    let text = number.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    guard let value = Double(text), value.isFinite else { return nil }
    return value
  }

  /// The powers of ten that a double holds exactly.
  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  private static func skipDigits(_ text: Span<UInt8>, _ position: inout Int) {
    while position < text.count, text[position] &- UInt8(ascii: "0") <= 9 { position += 1 }
  }
}

/// A checked number as ± digits × 10^exponent, without trailing zeros in the digits.
struct JSONDecimal {
  private(set) var isNegative = false
  private(set) var digits: UInt64 = 0
  private(set) var exponent = 0
  /// More significant digits than 64 bits hold: `digits` and `exponent` mean nothing then.
  private(set) var isTruncated = false

  init(_ number: Span<UInt8>) {
    var position = 0
    var zeros = 0
    var isFraction = false
    while position < number.count {
      let byte = number[position]
      position += 1
      switch byte {
      case UInt8(ascii: "-"): isNegative = true
      case UInt8(ascii: "."): isFraction = true
      case UInt8(ascii: "e"), UInt8(ascii: "E"):
        exponent += Self.exponent(number, from: position)
        position = number.count
      default:
        // Zeros wait until a digit follows them, so that 1.000 and 1e2 have one digit.
        if isFraction { exponent -= 1 }
        if byte == UInt8(ascii: "0") {
          zeros += digits == 0 ? 0 : 1
          continue
        }
        append(byte - UInt8(ascii: "0"), after: zeros)
        zeros = 0
      }
    }
    exponent = digits == 0 ? 0 : exponent + zeros
  }

  private mutating func append(_ digit: UInt8, after zeros: Int) {
    for _ in 0..<min(zeros, 20) { multiply(adding: 0) }
    multiply(adding: digit)
  }

  private mutating func multiply(adding digit: UInt8) {
    let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
    let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
    if overflow || carry { isTruncated = true }
    // Once truncated the digits are meaningless; one keeps them from looking like zero.
    digits = isTruncated ? 1 : sum
  }

  /// The value after "e", held within bounds that no sum with a text's length can leave.
  private static func exponent(_ number: Span<UInt8>, from start: Int) -> Int {
    let isNegative = number[start] == UInt8(ascii: "-")
    var value = 0
    for position in start..<number.count where number[position] >= UInt8(ascii: "0") {
      value = min(value * 10 + Int(number[position] - UInt8(ascii: "0")), 1 << 40)
    }
    return isNegative ? -value : value
  }
}
