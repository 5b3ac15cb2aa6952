/// Numbers as people read them in a terminal.
enum NumberText {
  /// `90189` as `90,189`.
  static func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    var text = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// `0.5` with two decimals as `0.50`, rounded half away from zero.
  ///
  /// - Parameter decimals: 0 … 6.
  static func fixed(_ number: Double, decimals: Int) -> String {
    let scale = (0..<decimals).reduce(1) { product, _ in product * 10 }
    let scaled = (number * Double(scale)).rounded()
    guard let whole = Int(exactly: scaled) else { return "\(number)" }
    let sign = whole < 0 ? "-" : ""
    let units = grouped(Int(whole.magnitude) / scale)
    guard decimals > 0 else { return sign + units }
    let fraction = String(Int(whole.magnitude) % scale)
    return "\(sign)\(units).\(String(repeating: "0", count: decimals - fraction.count))\(fraction)"
  }

  /// `0.19019` with two decimals as `19.02 %`.
  static func percent(_ share: Double, decimals: Int = 2) -> String {
    fixed(share * 100, decimals: decimals) + " %"
  }

  /// A probability, which is never shown as certain when it is not.
  static func probability(_ p: Double) -> String {
    if p > 0, p < 0.000_05 { return "< 0.01 %" }
    if p < 1, p > 0.999_95 { return "> 99.99 %" }
    return percent(p)
  }
}

/// `1 row`, `2 rows`.
func counted(_ count: Int, _ noun: String) -> String {
  "\(NumberText.grouped(count)) \(noun)\(count == 1 ? "" : "s")"
}
