import CSodium

/// The secret of the installation under which API keys are hashed: a stolen database alone cannot
/// test guesses.
///
/// Holds the prepared state of HMAC-SHA256 only, so that a hash costs half and nothing can print
/// the text.
struct Pepper: Sendable, CustomStringConvertible, CustomReflectable {
  private let prepared: crypto_auth_hmacsha256_state

  /// - Throws: `PepperError` when the text could be guessed.
  init(_ text: String) throws(PepperError) {
    let bytes = Array(text.utf8)
    try Self.check(bytes)
    Sodium.ready()
    var state = crypto_auth_hmacsha256_state()
    bytes.withUnsafeBufferPointer { buffer in
      _ = crypto_auth_hmacsha256_init(&state, buffer.baseAddress!, buffer.count)
    }
    prepared = state
  }

  /// HMAC-SHA256 of a key's bytes.
  func hash(_ key: some Collection<UInt8>) -> KeyHash {
    var state = prepared
    withContiguousBytes(key) { buffer in
      _ = crypto_auth_hmacsha256_update(&state, buffer.baseAddress, UInt64(buffer.count))
    }
    return KeyHash(Hash256 { crypto_auth_hmacsha256_final(&state, $0) })
  }

  func hash(_ key: String) -> KeyHash { hash(key.utf8) }

  /// The text of a new pepper.
  static func random() -> String { Sodium.randomSecret() }

  var description: String { "Pepper" }
  var customMirror: Mirror { Mirror(self, children: []) }

  /// Refuses what a person types to get past a check; it cannot measure randomness.
  private static func check(_ bytes: [UInt8]) throws(PepperError) {
    guard bytes.count >= bytesMin else { throw .tooShort(bytes: bytes.count) }
    let distinct = Set(bytes).count
    guard distinct >= distinctBytesMin else { throw .tooUniform(distinctBytes: distinct) }
    for period in 1...bytes.count / 2
    where bytes.dropFirst(period).elementsEqual(bytes.dropLast(period)) {
      throw .repeats(period: period)
    }
    // "0123456789abcdef…", "zyxwv…": most neighbours one apart.
    let steps = zip(bytes, bytes.dropFirst()).count { abs(Int($0) - Int($1)) == 1 }
    guard steps * 2 < bytes.count else { throw .sequence }
    let text = String(decoding: bytes, as: UTF8.self).lowercased()
    if let word = placeholders.first(where: { text.contains($0) }) { throw .placeholder(word) }
  }

  private static let bytesMin = 32
  /// 32 random hexadecimal digits have 9 or fewer distinct ones once in 10,000 times; 32 random
  /// base62 digits never.
  private static let distinctBytesMin = 9
  private static let placeholders = [
    "changeme", "change_me", "change-me", "placeholder", "example", "password", "pepper",
  ]
}

/// Why a pepper is refused. Never names the pepper.
enum PepperError: Error, Equatable, CustomStringConvertible {
  case tooShort(bytes: Int)
  case tooUniform(distinctBytes: Int)
  case repeats(period: Int)
  case sequence
  case placeholder(String)

  var description: String {
    switch self {
    case .tooShort(let bytes): "has \(bytes) bytes, must have at least 32 random ones"
    case .tooUniform(let distinct): "uses only \(distinct) different characters"
    case .repeats(let period): "repeats itself every \(period) characters"
    case .sequence: "runs through neighbouring characters"
    case .placeholder(let word): "contains the placeholder \"\(word)\""
    }
  }
}
