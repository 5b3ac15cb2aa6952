import Testing

@testable import SplitstreamServer

/// Secrets are equal when every byte is, and no sooner.
@Suite struct ConstantTimeTests {
  @Test("any one byte that differs is noticed, at every length")
  func bytes() {
    for length in 0..<40 {
      let secret = (0..<length).map { UInt8($0) }
      // As a part of something larger, as in a request.
      let framed = [0xff] + secret + [0xff]
      #expect(ConstantTime.isEqual(framed[1..<length + 1], secret))
      #expect(!ConstantTime.isEqual(framed[1..<length + 2], secret))
      for place in 0..<length {
        var other = secret
        other[place] ^= 0x80
        #expect(!ConstantTime.isEqual(framed[1..<length + 1], other))
      }
    }
  }
}
