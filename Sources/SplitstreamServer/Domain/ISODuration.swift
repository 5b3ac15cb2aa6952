/// A length of time as ISO 8601 writes it, of the kinds that have a fixed length.
///
/// `PnW`, or `P[nD][T[nH][nM][n[.f]S]]` with at least one component; a day is 24 hours. Years,
/// months, signs and `PnWnD` are refused: they have no fixed length or no agreed reading.
struct ISODuration: Hashable, Sendable {
  /// A fraction is rounded up: times have whole microseconds, so no comparison with one changes.
  let microseconds: Int

  /// Nil when the text is not of the grammar, or 2⁶³ microseconds or longer.
  init?(_ text: String) {
    var reader = Reader(rest: Array(text.utf8)[...])
    guard let microseconds = reader.readDuration() else { return nil }
    self.microseconds = microseconds
  }

  var seconds: Double { Double(microseconds) / 1e6 }
}

extension ISODuration {
  /// A designator, what it counts, and where it may stand: in this order, each at most once.
  private struct Component {
    let designator: UInt8
    let microseconds: Int
    let isTime: Bool
  }

  private static let components = [
    Component(designator: UInt8(ascii: "W"), microseconds: 604_800_000_000, isTime: false),
    Component(designator: UInt8(ascii: "D"), microseconds: 86_400_000_000, isTime: false),
    Component(designator: UInt8(ascii: "H"), microseconds: 3_600_000_000, isTime: true),
    Component(designator: UInt8(ascii: "M"), microseconds: 60_000_000, isTime: true),
    Component(designator: UInt8(ascii: "S"), microseconds: 1_000_000, isTime: true),
  ]

  /// Reads the text once, from left to right.
  private struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func readDuration() -> Int? {
      guard take("P") else { return nil }
      var (total, inTime, allowed) = (0, false, components[...])
      repeat {
        if !inTime, take("T") { inTime = true }
        guard let number = readNumber(), let designator = rest.popFirst(),
          let index = allowed.firstIndex(where: {
            $0.designator == designator && $0.isTime == inTime
          }),
          let length = number.times(components[index].microseconds),
          number.fraction.isEmpty || index == components.indices.last
        else { return nil }
        let (sum, overflow) = total.addingReportingOverflow(length)
        if overflow { return nil }
        total = sum
        // Weeks stand alone.
        allowed = index == 0 ? [] : components[(index + 1)...]
      } while !rest.isEmpty
      return total
    }

    private mutating func take(_ letter: Unicode.Scalar) -> Bool {
      guard rest.first == UInt8(ascii: letter) else { return false }
      rest.removeFirst()
      return true
    }

    private mutating func readNumber() -> Number? {
      let whole = readDigits()
      let hasPoint = take(".")
      let fraction = hasPoint ? readDigits() : []
      return whole.isEmpty || hasPoint && fraction.isEmpty
        ? nil : Number(whole: whole, fraction: fraction)
    }

    private mutating func readDigits() -> ArraySlice<UInt8> {
      let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      rest = rest.dropFirst(digits.count)
      return digits
    }
  }

  /// A decimal number as its digits.
  private struct Number {
    let whole: ArraySlice<UInt8>
    let fraction: ArraySlice<UInt8>

    /// The product, rounded up; nil on overflow.
    func times(_ unit: Int) -> Int? {
      var result = 0
      for digit in whole {
        let (tenfold, overflow) = result.multipliedReportingOverflow(by: 10)
        let (next, overflowed) = tenfold.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
        if overflow || overflowed { return nil }
        result = next
      }
      let (product, overflow) = result.multipliedReportingOverflow(by: unit)
      if overflow { return nil }
      // Only seconds have a fraction: six digits count, any beyond rounds up.
      var (part, place) = (0, unit)
      for digit in fraction.prefix(6) {
        place /= 10
        part += Int(digit - UInt8(ascii: "0")) * place
      }
      if fraction.dropFirst(6).contains(where: { $0 != UInt8(ascii: "0") }) { part += 1 }
      let (sum, overflowed) = product.addingReportingOverflow(part)
      return overflowed ? nil : sum
    }
  }
}
