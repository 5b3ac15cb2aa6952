import Testing

@testable import SplitstreamServer

/// An API key is unguessable, looked up by an HMAC that needs the pepper, and never stored itself.
@Suite struct KeyTests {
  /// The keys of RFC 4231's examples are too uniform to be a pepper, so the number is that of
  /// Python 3.11, `hmac.new(pepper, b"ss_srv_dev_abc", "sha256")`.
  @Test func hmac() throws {
    let pepper = try Pepper("Q7d0hT3yVbN1sLw9ZkX5cGmR2fJpEoUaI8KxYtHv")
    let expected = "789055082680fdfb357ec0bb33db645871e3ed89ab0ed16eed67ad62a9b809ac"
    let hash = try #require(Hash256(pepper.hash("ss_srv_dev_abc").bytes))
    #expect(hash.hex == expected)
  }

  @Test func aKeyHashDependsOnKeyAndPepper() throws {
    let (one, two) = (try Pepper(Pepper.random()), try Pepper(Pepper.random()))
    #expect(one.hash("key") == one.hash(Array("key".utf8)))
    #expect(one.hash("key") != one.hash("kez"))
    #expect(one.hash("key") != two.hash("key"))
    #expect(KeyHash(one.hash("key").bytes) == one.hash("key"))
  }

  @Test("hashes that differ in one byte differ", arguments: 0..<32)
  func oneByte(position: Int) throws {
    var bytes = SHA256.hash("abc".utf8).bytes
    let left = try #require(KeyHash(bytes))
    bytes[position] ^= 1
    #expect(try left != #require(KeyHash(bytes)))
  }

  @Test func aPepperPrintsNothing() throws {
    let pepper = try Pepper("Q7d0hT3yVbN1sLw9ZkX5cGmR2fJpEoUaI8KxYtHv")
    var dumped = ""
    dump(pepper, to: &dumped)
    #expect("\(pepper)" == "Pepper" && String(reflecting: pepper) == "Pepper")
    #expect(Mirror(reflecting: pepper).children.isEmpty && !dumped.contains("prepared"))
  }

  @Test(
    "weak peppers are refused",
    arguments: [
      ("", PepperError.tooShort(bytes: 0)),
      ("Q7d0hT3yVbN1sLw9ZkX5cGmR2fJpEoU", .tooShort(bytes: 31)),
      (String(repeating: "a", count: 64), .tooUniform(distinctBytes: 1)),
      (String(repeating: "01", count: 32), .tooUniform(distinctBytes: 2)),
      (String(repeating: "Q7d0hT3yVbN1s", count: 3), .repeats(period: 13)),
      ("0123456789abcdefghijklmnopqrstuvwxyz", .sequence),
      ("zyxwvutsrqponmlkjihgfedcba9876543210", .sequence),
      ("Please-ChangeMe-before-production-7Q", .placeholder("changeme")),
    ])
  func weak(text: String, error: PepperError) {
    #expect(throws: error) { try Pepper(text) }
  }

  @Test(
    "what generators make is accepted",
    arguments: [
      // openssl rand -hex 32, openssl rand -base64 32, pwgen 32
      "5f1d0c9a7be2486390d1e7fa3c58b2640e9d7c1f8a35b6e2d4907c1b3f6a8e5d",
      "mJ2k0v9Qx1Tq8yZr7Lw3cN5bE6hG4aFd+PsU/oIiKt0=",
      "ohR4aePh9ieg7Ohk0aiFu3Eixoo5Ue2J",
    ])
  func strong(text: String) throws {
    _ = try Pepper(text)
  }

  @Test func secretsHold256Bits() {
    let secrets = (0..<200).map { _ in Sodium.randomSecret() }
    #expect(Set(secrets).count == 200)
    #expect(secrets.allSatisfy { $0.utf8.count == 43 })
    // 43 × log2(62) = 256.03. Of 8,600 characters every one of the 62 turns up (expected absentees:
    // 1e-58).
    let letters = Set(secrets.joined())
    #expect(
      letters.count == 62 && letters.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
  }

  @Test func randomBytesAreCounted() {
    #expect(Sodium.randomBytes(0).isEmpty)
    #expect(Sodium.randomBytes(32).count == 32)
    #expect(Sodium.randomBytes(32) != Sodium.randomBytes(32))
  }

  @Test func constantTimeEquality() {
    #expect(Sodium.constantTimeEqual("abc".utf8, Array("abc".utf8)))
    #expect(Sodium.constantTimeEqual([], []))
    #expect(!Sodium.constantTimeEqual("abc".utf8, "abd".utf8))
    #expect(!Sodium.constantTimeEqual("abc".utf8, "abcd".utf8))
  }

  @Test func argon2id() throws {
    let encoded = try Argon2id.hash("ss_srv_dev_abc")
    #expect(encoded.hasPrefix("$argon2id$v=19$m=65536,t=2,p=1$"))
    #expect(Argon2id.verify("ss_srv_dev_abc", against: encoded))
    #expect(!Argon2id.verify("ss_srv_dev_abd", against: encoded))
    #expect(!Argon2id.verify("ss_srv_dev_abc", against: "not encoded"))
    #expect(try Argon2id.hash("ss_srv_dev_abc") != encoded)
  }
}
