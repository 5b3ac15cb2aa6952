import Testing

@testable import SplitstreamServer

/// A request id names one request in the log of all processes.
@Suite struct RequestIDsTests {
  @Test func idsOfOneMakerNeverRepeat() {
    var ids = RequestIDs(seed: 7)
    #expect(Set((0..<100_000).map { _ in ids.next() }).count == 100_000)
  }

  @Test func makersDiffer() {
    var (one, two) = (RequestIDs(seed: 1), RequestIDs(seed: 2))
    #expect(
      Set((0..<1_000).map { _ in one.next() }).isDisjoint(with: (0..<1_000).map { _ in two.next() })
    )
  }

  @Test func anIDIsShortAndPlain() {
    var ids = RequestIDs(seed: .max)
    let id = ids.next()
    #expect(id.utf8.count == 13 && id.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber) })
  }
}
