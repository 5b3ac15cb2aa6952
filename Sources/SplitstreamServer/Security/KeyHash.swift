/// HMAC-SHA256 of an API key under the pepper: what the database stores and a request is looked up
/// by.
struct KeyHash: Hashable, Sendable {
  private let hash: Hash256

  init(_ hash: Hash256) {
    self.hash = hash
  }

  /// - Parameter bytes: as stored; exactly 32, else nil.
  init?(_ bytes: some Collection<UInt8>) {
    guard let hash = Hash256(bytes) else { return nil }
    self.hash = hash
  }

  var bytes: [UInt8] { hash.bytes }

  /// Takes the same time whichever bytes differ.
  static func == (left: KeyHash, right: KeyHash) -> Bool {
    let (a, b) = (left.hash, right.hash)
    let difference =
      (a.word0 ^ b.word0) | (a.word1 ^ b.word1) | (a.word2 ^ b.word2) | (a.word3 ^ b.word3)
    return difference == 0
  }

  /// One word is enough: without the pepper nobody can choose it.
  func hash(into hasher: inout Hasher) {
    hasher.combine(hash.word0)
  }
}
