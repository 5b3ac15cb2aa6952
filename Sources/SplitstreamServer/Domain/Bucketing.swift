/// The published function `ss1`: any SDK that has SHA-256 computes what the server computes.
///
///     slot = floor(u32be(SHA-256("ss1:" + salt + ":" + purpose + ":" + unit_id)[0..<4]) × 10000 / 2^32)
enum Bucketing {
  /// The slot, 0 … 9,999, in which `unit` falls for `experiment`.
  ///
  /// - Parameter generation: 1 for a first assignment; raised by each re-bucketing, so that the
  ///   variant may differ.
  static func slot(of unit: UnitID, in experiment: ULID, generation: Int = 1) -> Int {
    slot(salt: salt(experiment, generation: generation), purpose: "assign", unit: unit)
  }

  static func slot(salt: String, purpose: String, unit: UnitID) -> Int {
    var message: [UInt8] = []
    message.reserveCapacity(64 + unit.bytes.count)
    message.append(contentsOf: "ss1:".utf8)
    message.append(contentsOf: salt.utf8)
    message.append(UInt8(ascii: ":"))
    message.append(contentsOf: purpose.utf8)
    message.append(UInt8(ascii: ":"))
    message.append(contentsOf: unit.bytes)
    let top = SHA256.hash(message).word0 >> 32
    // In Swift a shift binds closer than a product.
    return Int((top * UInt64(Allocation.slotCount)) >> 32)
  }

  /// `ULID`, or `ULID.generation` after a re-bucketing. A ULID holds no `:`, so the parts cannot
  /// run together.
  private static func salt(_ experiment: ULID, generation: Int) -> String {
    generation == 1 ? experiment.text : "\(experiment.text).\(generation)"
  }
}
