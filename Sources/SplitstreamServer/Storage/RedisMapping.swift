extension StorageError {
  init(_ error: RedisError) {
    switch error {
    case .unavailable(let detail): self = .unavailable(.redis, detail)
    case .timeout: self = .outcomeUnknown(.redis, "no answer in time")
    case .lost(let detail): self = .outcomeUnknown(.redis, detail)
    // Out of memory, loading, read-only replica: the state of the server, not the fault of the
    // call.
    case .server(let message) where Self.passing.contains(where: message.contains):
      self = .unavailable(.redis, message)
    case .server(let message): self = .failed(.redis, message)
    case .invalidAddress: self = .failed(.redis, "the address cannot be used")
    }
  }

  private static let passing = [
    "OOM ", "LOADING ", "READONLY ", "MISCONF ", "BUSY ", "MASTERDOWN ", "NOREPLICAS ", "MOVED ",
    "ASK ", "TRYAGAIN ", "CLUSTERDOWN ",
  ]
}

extension RedisCaller {
  /// One command, with an error of the layer above.
  func commanded(_ arguments: [[UInt8]]) throws(StorageError) -> RedisReply {
    do {
      return try command(arguments)
    } catch {
      throw StorageError(error)
    }
  }

  /// One script call, with an error of the layer above.
  func evaluated(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) throws(StorageError) -> RedisReply {
    do {
      return try evaluate(script, keys: keys, arguments: arguments)
    } catch {
      throw StorageError(error)
    }
  }
}
