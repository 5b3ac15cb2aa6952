import Testing

@testable import SplitstreamServer

/// Names, units and keys: what is accepted byte by byte, and what only looks like it.
@Suite struct NamesTests {
  @Test("keys")
  func keys() {
    for good in ["a", "0", "checkout.v2", "a_b-c.d", String(repeating: "x", count: 128)] {
      #expect(Names.isKey(good, lengthMax: 128))
    }
    for bad in [
      "", "A", "a b", "a/b", "é", "\u{435}", "a\u{0}", "a\n", "\u{212a}", "٠", "a:b",
      String(repeating: "x", count: 129),
    ] {
      #expect(!Names.isKey(bad, lengthMax: 128), "\(bad)")
    }
    #expect(Names.isKey(String(repeating: "x", count: 64), lengthMax: 64))
    #expect(!Names.isKey(String(repeating: "x", count: 65), lengthMax: 64))
  }

  @Test("slugs")
  func slugs() {
    for good in ["dev", "production", "eu-1", "-", "all-of-it", String(repeating: "x", count: 32)] {
      #expect(Names.isSlug(good))
    }
    for bad in ["", "all", "Dev", "a_b", "a.b", "é", String(repeating: "x", count: 33)] {
      #expect(!Names.isSlug(bad), "\(bad)")
    }
  }

  @Test("a unit is 1 to 256 bytes without NUL")
  func units() throws {
    #expect(UnitID("") == nil)
    #expect(UnitID("a\u{0}b") == nil)
    #expect(UnitID(String(repeating: "a", count: 256)) != nil)
    #expect(UnitID(String(repeating: "a", count: 257)) == nil)
    // 128 characters of two bytes; the bound counts bytes.
    #expect(UnitID(String(repeating: "ß", count: 128)) != nil)
    #expect(UnitID(String(repeating: "ß", count: 129)) == nil)
    #expect(try #require(UnitID(" a ")).text == " a ")
  }

  /// Swift holds these equal as Strings; to PostgreSQL they are two units.
  @Test("units that a String would fold are two")
  func canonicalEquivalence() throws {
    let composed = try #require(UnitID("\u{e9}"))
    let decomposed = try #require(UnitID("e\u{301}"))
    #expect(composed.text == decomposed.text)
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(UnitID("K") != UnitID("\u{212a}"))
  }

  @Test("a secret has its prefix, 256 random bits, and no second one like it")
  func secrets() {
    let secrets = (0..<200).map { _ in KeySecret(kind: .client, environmentSlug: "eu-1") }
    #expect(Set(secrets.map(\.text)).count == 200)
    for secret in secrets {
      #expect(secret.prefix == "ss_clt_eu-1")
      #expect(secret.text.hasPrefix("ss_clt_eu-1_"))
      let random = secret.text.dropFirst("ss_clt_eu-1_".count)
      // 43 characters of 62: 256.03 bits.
      #expect(random.count == 43 && random.utf8.allSatisfy { isLetterOrDigit($0) })
      #expect(secret.lastFour == String(random.suffix(4)))
    }
    #expect(KeySecret(kind: .server, environmentSlug: nil).prefix == "ss_srv_all")
  }

  private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: false
    }
  }
}
