/// The arguments of one command in one buffer, as hiredis takes them: with their lengths, so that
/// any byte may occur.
struct RedisArguments {
  private var bytes: [UInt8] = []
  private var offsets: [Int] = []
  private var lengths: [Int] = []

  init(_ arguments: [[UInt8]]) {
    precondition(!arguments.isEmpty, "a command without a name")
    bytes.reserveCapacity(arguments.reduce(1) { $0 + $1.count })
    for argument in arguments {
      offsets.append(bytes.count)
      lengths.append(argument.count)
      bytes.append(contentsOf: argument)
    }
    bytes.append(0)  // An empty buffer may have no address.
  }

  var byteCount: Int { bytes.count }

  /// Calls `body` with hiredis's three arguments: how many, where, how long.
  func withPointers<Result>(
    _ body: (Int32, UnsafeMutablePointer<UnsafePointer<CChar>?>, UnsafePointer<Int>) -> Result
  ) -> Result {
    bytes.withUnsafeBytes { bytes in
      let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      var pointers = offsets.map { offset in start.map { $0 + offset } }
      return body(Int32(offsets.count), &pointers, lengths)
    }
  }
}

/// The commands of this module's own; callers bring theirs as bytes.
enum RedisCommand {
  static func loading(_ script: RedisScript) -> [[UInt8]] { words("SCRIPT", "LOAD", script.source) }

  static func evaluating(
    _ digest: [UInt8], _ keys: [[UInt8]], _ arguments: [[UInt8]]
  ) -> [[UInt8]] {
    words("EVALSHA") + [digest, Array(String(keys.count).utf8)] + keys + arguments
  }

  /// Of a cluster's node: for the next command, a slot counts as its own that it is about to get.
  static let asking = words("ASKING")

  static func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }
}
