/// Where Redis remembers the `client_event_id`s of the last 30 days: a hash table over many small
/// Redis hashes, the buckets.
///
/// A key of its own costs Redis about 140 bytes an id. A hash of few small fields is one packed
/// piece of memory (a listpack), in which an id costs 17: the first 12 bytes of its hash, the hour
/// in which it was accepted, and three of listpack. So buckets are kept small, whatever the number
/// of ids, by linear hashing (Litwin, 1980): the table grows and shrinks by one bucket at a time,
/// and only ids of that bucket and its parent move. Whoever accepts an event computes its bucket,
/// so that every key of the script is declared, as a cluster needs it; the script refuses when the
/// table has another size by now. `SeenTableUpkeep` grows, shrinks and forgets.
struct SeenTable: Equatable, Sendable {
  static let bucketCountMin = 1024
  /// Above this average the table grows. Redis packs hashes of up to 128 fields, as Debian sets it
  /// up; a bucket may well hold twice the average of the largest.
  static let idsPerBucketMax = 56
  /// Below this average it shrinks.
  static let idsPerBucketMin = 14

  var bucketCount = Self.bucketCountMin

  func bucket(of id: SeenID) -> Int {
    let bucket = Int(id.address) & (Self.modulus(of: bucketCount - 1) - 1)
    return bucket < bucketCount ? bucket : Self.parent(of: bucket)
  }

  /// Whose ids a new bucket takes over in part, and gets back when it goes.
  static func parent(of bucket: Int) -> Int { bucket - modulus(of: bucket) / 2 }

  /// The power of two by which addresses are divided to reach a bucket, the highest of the table.
  static func modulus(of bucket: Int) -> Int {
    1 << (Int.bitWidth - bucket.leadingZeroBitCount)
  }
}

/// What stands for a `client_event_id` in Redis: 96 bits, scoped to the environment. Among a
/// billion of them, an event is taken for another one with a probability of 10⁻²⁰.
struct SeenID: Hashable, Sendable {
  private let high: UInt64
  private let low: UInt32

  init(_ clientEventID: String, environment: ULID) {
    let hash = BLAKE2b.hash128(environment.bytes + clientEventID.utf8)
    high = hash.high
    low = UInt32(hash.low >> 32)
  }

  /// The 12 bytes, most significant first.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return bytes
  }

  func append(to bytes: inout [UInt8]) {
    withUnsafeBytes(of: high.bigEndian) { bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: low.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// The first four bytes; the upkeep's scripts compute it, too.
  var address: UInt32 { UInt32(high >> 32) }
}

/// The hour of a remembered id as Redis keeps it: as a number of 13 bits, the largest that a
/// listpack keeps in two bytes. In Lua.
///
/// It goes round in 341 days. A stamp up to 30 days old is young, and so is one from the future,
/// where Redis's clock was set back.
enum SeenHour {
  static let lua = """
    local hour = math.floor(redis.call('TIME')[1] / 3600) % 8192
    local function is_young(stamp)
      local age = (hour - stamp - 4096) % 8192
      return age <= \(Event.daysMax * 24) or age >= 4096
    end

    """
  /// What is written beside an id that is accepted now.
  static let stamp = "hour - 4096"
}
