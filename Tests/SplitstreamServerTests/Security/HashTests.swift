import Testing

@testable import SplitstreamServer

/// The hashes are those of the standards: keys stored by one version are found by every later one.
@Suite struct HashTests {
  @Test(
    "SHA-256 of FIPS 180-4's examples",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ])
  func sha256(text: String, hex: String) {
    #expect(SHA256.hash(text.utf8).hex == hex)
  }

  @Test func sha256InPiecesEqualsWhole() {
    var prefix = SHA256()
    prefix.update("ss1:".utf8)
    var one = prefix
    one.update("unit-1".utf8)
    var two = prefix
    two.update("unit-2".utf8)
    #expect(one.finalized() == SHA256.hash("ss1:unit-1".utf8))
    #expect(two.finalized() == SHA256.hash("ss1:unit-2".utf8))
    #expect(one.finalized() == one.finalized())
  }

  @Test("a slice is hashed as the array it was cut from")
  func slices() {
    let bytes = Array("--abc--".utf8)
    #expect(SHA256.hash(bytes[2..<5]) == SHA256.hash("abc".utf8))
    #expect(SHA256.hash(AnyCollection(bytes[2..<5])) == SHA256.hash("abc".utf8))
  }

  /// RFC 7693 has no example of 16 bytes; this one is Python's `hashlib.blake2b(b"abc",
  /// digest_size=16)`.
  @Test func blake2b() {
    #expect(BLAKE2b.hash128("abc".utf8).hex == "cf4ab791c62b8d2b2109c90275287816")
    #expect(BLAKE2b.hash128([]).hex == "cae66941d9efbd404e4d88758ea67670")
  }

  @Test func bytesGoThereAndBack() throws {
    let hash = SHA256.hash("abc".utf8)
    #expect(Hash256(hash.bytes) == hash)
    #expect(hash.bytes.first == 0xba && hash.word0 >> 56 == 0xba && hash.bytes.last == 0xad)
    #expect(Hash256(hash.bytes.dropLast()) == nil)
    #expect(Hash256(hash.bytes + [0]) == nil)
  }

  @Test("order is the order of the bytes", arguments: 0..<32)
  func order(position: Int) throws {
    var bytes = [UInt8](repeating: 7, count: 32)
    let low = try #require(Hash256(bytes))
    bytes[position] = 200
    let high = try #require(Hash256(bytes))
    #expect(low < high && !(high < low) && !(low < low))
  }
}
