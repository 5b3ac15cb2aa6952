import CHiredis

/// What Redis answered.
enum RedisReply: Sendable, Equatable {
  case null
  case integer(Int)
  case bytes([UInt8])
  case status(String)
  /// Inside an array only: an error that is the whole answer is thrown.
  case error(String)
  case array([RedisReply])

  /// Copies a reply of hiredis, which frees its own. hiredis itself refuses more than seven levels
  /// of arrays.
  init(_ reply: UnsafePointer<redisReply>) {
    switch reply.pointee.type {
    case REDIS_REPLY_INTEGER: self = .integer(Int(reply.pointee.integer))
    case REDIS_REPLY_STRING: self = .bytes(Array(Self.content(reply)))
    case REDIS_REPLY_STATUS: self = .status(String(decoding: Self.content(reply), as: UTF8.self))
    case REDIS_REPLY_ERROR: self = .error(String(decoding: Self.content(reply), as: UTF8.self))
    case REDIS_REPLY_ARRAY:
      let elements = UnsafeBufferPointer(
        start: reply.pointee.element, count: reply.pointee.elements)
      self = .array(elements.map { element in element.map { RedisReply($0) } ?? .null })
    default: self = .null
    }
  }

  /// The answer, or the error that it is.
  func get() throws(RedisError) -> RedisReply {
    if case .error(let message) = self { throw .server(message) }
    return self
  }

  private static func content(_ reply: UnsafePointer<redisReply>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len)
  }
}

/// A Lua script that the server runs as one atomic step.
///
/// One name always means one source.
struct RedisScript: Sendable {
  let name: String
  let source: String
}
