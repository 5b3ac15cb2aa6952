import Testing

@testable import SplitstreamServer

/// Bytes compared eight at a time.
@Suite struct ASCIITests {
  private static let names: [StaticString] = [
    "host", "a-z09.`{", "content-type", "authorization", "0123456789abcdefghij",
  ]

  @Test("a name is found whatever the case of its letters, and of nothing else", arguments: 0...4)
  func name(index: Int) {
    let name = Self.names[index]
    let text = [UInt8](name.description.utf8)
    let start = 3
    for place in text.indices {
      for byte in UInt8.min...UInt8.max {
        var other = text
        other[place] = byte
        let isSame = other.map(ASCII.lowercased) == text
        let message = [UInt8](repeating: 0x78, count: start) + other
        #expect(
          message.matches(name, in: start..<message.count) == isSame, "\(byte) at \(place)")
      }
    }
    #expect((text + [0x78]).matches(name, in: 0..<text.count + 1) == false)
    #expect(text.matches(name, in: 0..<text.count - 1) == false)
  }
}
