/// The first line is a pattern, the rest a text. Searching takes the steps promised at most; a
/// group around a pattern means the same, and text around what is found does not hide it.
@c(LLVMFuzzerTestOneInput)
public func fuzzTextPattern(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let (source, rest) = fuzzLines(fuzzInput(data, size))
  guard String(validating: source, as: UTF8.self) != nil,
    String(validating: rest, as: UTF8.self) != nil,
    let pattern = try? TextPattern(source)
  else { return 0 }
  var steps = 0
  let isFound = pattern.isFound(in: rest.span, steps: &steps)
  let most = TextPattern.positionsMax + 1
  precondition(steps <= most * (rest.count + 2 * most), "\(steps) steps")

  if let group = try? TextPattern([UInt8]("(?:".utf8) + source + [UInt8]("){1}".utf8)) {
    precondition(group.isFound(in: rest.span) == isFound, "a group changes what is found")
  }
  if isFound && !source.contains(UInt8(ascii: "^")) && !source.contains(UInt8(ascii: "$")) {
    let longer = [UInt8]("a\n".utf8) + rest + [UInt8]("\nz".utf8)
    precondition(pattern.isFound(in: longer.span), "text around it hides what is found")
  }
  return 0
}
