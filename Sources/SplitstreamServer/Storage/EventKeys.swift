/// The Redis keys of one shard's events. The part in braces is the hash tag: all of them live on
/// one node of a cluster, so that one script may touch them together.
struct EventKeys: Sendable {
  private let tag: String
  private let bucketPrefix: [UInt8]

  init(shard: Int) {
    tag = "splitstream:{\(shard)}:"
    bucketPrefix = [UInt8]((tag + "seen:").utf8)
  }

  /// List: accepted events that no chunk has taken yet.
  var buffer: [UInt8] { [UInt8]((tag + "events").utf8) }
  /// Number: accepted events that PostgreSQL has not committed yet, taken or not.
  var backlog: [UInt8] { [UInt8]((tag + "backlog").utf8) }
  /// Sorted set: chunks under way by the millisecond at which their lease ends.
  var chunks: [UInt8] { [UInt8]((tag + "chunks").utf8) }

  /// List: the events of one chunk.
  func chunk(_ id: ULID) -> [UInt8] { [UInt8]((tag + "chunk:" + id.text).utf8) }

  /// Hash: the number of buckets of the table of remembered ids, and of ids in it.
  var seen: [UInt8] { [UInt8]((tag + "seen").utf8) }
  /// Hash: ids of one bucket (`SeenID`) and the hour in which each was accepted.
  func seen(bucket: Int) -> [UInt8] { bucketPrefix + String(bucket).utf8 }
}
