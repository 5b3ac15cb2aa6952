/// The first line is an audience, the rest what a caller says of a unit. An audience reads back
/// from its source, and whom it does not admit its negation does.
@c(LLVMFuzzerTestOneInput)
public func fuzzAudience(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let (first, rest) = fuzzLines(fuzzInput(data, size))
  guard let value = try? JSONValue(parsing: first) else { return 0 }
  switch AudienceParser.parse(value) {
  case .failure(let error):
    precondition(!error.problems.isEmpty, "refused without a reason")
    for problem in error.problems {
      // By bytes: a name may begin with a mark that makes one character with the slash.
      let first = problem.pointer.utf8.first
      precondition(first == nil || first == UInt8(ascii: "/"), "\(problem)")
    }
  case .success(let audience):
    let again = (try? JSONValue(parsing: audience.source)).map { AudienceParser.parse($0) }
    precondition(again == .success(audience), "\(value) reads back as another")
    let context = try? JSONValue(parsing: rest)
    let isAdmitted = AudienceProgram(audience.expression).admits(context)
    precondition(AudienceProgram(.not(audience.expression)).admits(context) != isAdmitted)
  }
  return 0
}
