/// The two lines are versions: their order is the same from both sides, and a pre-release comes
/// before its release.
@c(LLVMFuzzerTestOneInput)
public func fuzzSemanticVersion(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let (left, right) = fuzzLines(fuzzInput(data, size))
  guard let order = compare(left, right) else { return 0 }
  precondition(compare(right, left)?.signum() == -order.signum(), "the order has two directions")
  precondition(compare(left, left) == 0, "a version differs from itself")
  if !left.contains(UInt8(ascii: "-")) && !left.contains(UInt8(ascii: "+")) {
    let order = compare(left + [UInt8]("-rc.1+build".utf8), left)
    precondition(order.map { $0 < 0 } == true, "a pre-release comes after its release")
  }
  return 0
}

/// Nil when one of them is no version.
private func compare(_ left: [UInt8], _ right: [UInt8]) -> Int? {
  guard let first = SemanticVersion(left.span), let second = SemanticVersion(right.span) else {
    return nil
  }
  return SemanticVersion.compare(first, left.span, second, right.span)
}
