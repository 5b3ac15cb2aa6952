import Testing

@testable import SplitstreamServer

/// Ids: 128 bits that read as 26 characters, sort by time, and pass through PostgreSQL as a uuid.
@Suite struct ULIDTests {
  @Test(
    "text of known ids, in both directions",
    arguments: [
      // The example of the ULID specification (github.com/ulid/spec), bits worked out by hand.
      ("01ARZ3NDEKTSV4RRFFQ69G5FAV", 0x0156_3e3a_b5d3_d676, 0x4c61_efb9_9302_bd5b),
      ("00000000000000000000000000", 0, 0),
      ("00000000000000000000000001", 0, 1),
      ("00000000000008000000000000", 0, 1 << 63),
      ("0000000000000G000000000000", 1, 0),
      ("0000000000001000000000000G", 2, 16),
      ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", .max, .max),
    ] as [(String, UInt64, UInt64)])
  func text(text: String, high: UInt64, low: UInt64) throws {
    let id = try #require(ULID(text))
    #expect(id.high == high && id.low == low)
    #expect(id.text == text)
    #expect(ULID(text.lowercased()) == id)
    var appended: [UInt8] = [0x2f]
    id.append(to: &appended)
    #expect(appended == [0x2f] + text.utf8)
  }

  @Test(
    "what is no id",
    arguments: [
      "", "0", "0000000000000000000000000", "000000000000000000000000000",
      "80000000000000000000000000", "ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
      // Crockford's alphabet leaves out I, L, O and U; nothing stands for another letter here.
      "0000000000000000000000000I", "0000000000000000000000000L", "0000000000000000000000000O",
      "0000000000000000000000000U", "0000000000000000000000000-", " 000000000000000000000000000",
      "0000000000000000000000000\u{0}", "000000000000000000000000٠",
      "000000000000000000000000\u{212a}",
    ])
  func refused(text: String) {
    #expect(ULID(text) == nil)
  }

  @Test("the uuid text of PostgreSQL, and nothing like it")
  func uuid() throws {
    let id = ULID(high: 0x0156_3e3a_b5d3_d676, low: 0x4c61_efb9_9302_bd5b)
    #expect(ULID(uuid: "01563e3a-b5d3-d676-4c61-efb99302bd5b") == id)
    #expect(ULID(uuid: "01563e3ab5d3d6764c61efb99302bd5b") == id)
    for wrong in [
      "", "01563e3a-b5d3-d676-4c61-efb99302bd5", "01563e3a-b5d3-d676-4c61-efb99302bd5g",
    ] {
      #expect(ULID(uuid: wrong) == nil)
    }
    #expect(id.bytes.map { String($0, radix: 16) }.prefix(3) == ["1", "56", "3e"])
  }

  @Test("ids, their texts and their bytes have one order, which is that of their times")
  func order() {
    var random = SplitMix64(seed: 1)
    let ids = (0..<500).map { _ in
      ULID(
        time: Timestamp(microseconds: Int.random(in: 0...4_000_000_000_000_000, using: &random)),
        random: (random.next(), random.next()))
    }
    let sorted = ids.sorted()
    #expect(sorted.map(\.text) == ids.map(\.text).sorted())
    #expect(sorted == ids.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) })
    #expect(sorted.map(\.time) == ids.map(\.time).sorted())
  }

  @Test("the time within an id, and the smallest id of a time")
  func time() {
    let time = Timestamp(microseconds: 1_763_715_600_123_999)
    let id = ULID(time: time, random: (.max, .max))
    #expect(id.time == Timestamp(microseconds: 1_763_715_600_123_000))
    #expect(ULID.floor(of: time) <= id)
    #expect(id < ULID.floor(of: time.adding(milliseconds: 1)))
    #expect(ULID(time: Timestamp(microseconds: -1), random: (0, 0)) == ULID(high: 0, low: 0))
  }

  @Test("no two ids of a generator are equal, and it asks for randomness only when it has none")
  func generator() {
    var refills = 0
    var generator = ULIDGenerator(refill: {
      refills += 1
      var random = SplitMix64(seed: UInt64(refills))
      return (0..<100).map { _ in random.next() }
    })
    let time = ServerClock.processTime()
    let ids = (0..<1000).map { _ in generator.make(at: time) }
    #expect(Set(ids).count == 1000)
    #expect(ids.allSatisfy { $0.time.microseconds == time.microseconds / 1000 * 1000 })
    #expect(refills == 20)
  }
}
