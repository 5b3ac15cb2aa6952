/// The numbers that PostgreSQL's `numeric`, and so its `jsonb`, keeps exactly: 131,072 digits
/// before the decimal point and 16,383 after it. One beyond would be refused only after the event
/// was accepted.
enum ExactNumbers {
  private static let wholeDigitsMax = 131_072
  private static let fractionDigitsMax = 16_383

  /// Whether all numbers of a JSON text are such. The reader has checked the text.
  static func areAll(in json: ArraySlice<UInt8>) -> Bool {
    var rest = json
    while let byte = rest.first {
      switch byte {
      case UInt8(ascii: "\""): skipString(&rest)
      case UInt8(ascii: "0")...UInt8(ascii: "9"): if !takeNumber(&rest) { return false }
      default: rest.removeFirst()
      }
    }
    return true
  }

  private static func skipString(_ rest: inout ArraySlice<UInt8>) {
    rest.removeFirst()
    while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
      if byte == UInt8(ascii: "\\") { rest.removeFirst() }
    }
  }

  /// Takes a number without its sign; whether it is kept exactly.
  private static func takeNumber(_ rest: inout ArraySlice<UInt8>) -> Bool {
    let whole = takeDigits(&rest)
    var fractionCount = 0
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      fractionCount = takeDigits(&rest).count
    }
    guard let sign = rest.first, sign | 0x20 == UInt8(ascii: "e") else { return true }
    rest.removeFirst()
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
    // Any number of digits; past a million it makes no difference.
    let power = takeDigits(&rest).reduce(0) {
      min($0 * 10 + Int($1 - UInt8(ascii: "0")), 1_000_000)
    }
    return whole.count + (isNegative ? 0 : power) <= wholeDigitsMax
      && fractionCount + (isNegative ? power : 0) <= fractionDigitsMax
  }

  private static func takeDigits(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    rest = rest[digits.endIndex...]
    return digits
  }
}
