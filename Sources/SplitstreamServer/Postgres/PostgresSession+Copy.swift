import CPostgres
import Glibc

extension PostgresSession {
  /// Runs `COPY … FROM STDIN (FORMAT binary)` with the bytes that `next` gives until it gives nil.
  ///
  /// - Parameter meanwhile: called while the server is still busy with the last of them.
  /// - Returns: the number of rows stored.
  @discardableResult
  func copyIn(
    _ sql: String, meanwhile: () -> Void = {}, _ next: () -> [UInt8]?
  ) throws(PostgresError) -> Int {
    try require(PQsendQuery(opened(), sql) == 1)
    guard try result().status == PGRES_COPY_IN else {
      throw .decoding("not a COPY FROM STDIN")
    }
    while let chunk = next() { try copy(chunk) }
    try copyEnd()
    try flush(Deadline(afterSeconds: timeoutSeconds))
    meanwhile()
    return try result().affectedRows
  }

  /// Hands over one chunk and waits until the server has taken it, so that libpq's buffer stays
  /// small.
  private func copy(_ chunk: [UInt8]) throws(PostgresError) {
    let deadline = Deadline(afterSeconds: timeoutSeconds)
    let handle = try opened()
    let isTaken = chunk.withUnsafeBytes { bytes in
      PQputCopyData(
        handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
    }
    // 0 would be "no room for now": there always is, after the flush of the chunk before.
    try require(isTaken == 1)
    try flush(deadline)
  }

  private func copyEnd() throws(PostgresError) {
    try require(PQputCopyEnd(opened(), nil) == 1)
  }
}

/// Writes the rows of a binary COPY: the header once, the rows, the trailer once.
///
/// One row has as many fields as the COPY has columns, each a value of the column's own type.
struct CopyRows {
  private var encoder = PostgresEncoder()

  init() {
    // PostgreSQL's manual, COPY, "Binary Format": signature, flags, length of the header's
    // extension.
    encoder.append(contentsOf: Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0x00])
    encoder.append(0 as Int32)
    encoder.append(0 as Int32)
  }

  /// How many bytes wait to be taken.
  var byteCount: Int { encoder.bytes.count }

  mutating func append(_ fields: [PostgresValue]) {
    encoder.append(Int16(fields.count))
    for field in fields { encoder.appendSized(field) }
  }

  /// Writes the trailer; no row may follow.
  mutating func end() {
    encoder.append(-1 as Int16)
  }

  /// What was written since the last take.
  mutating func takeBytes() -> [UInt8] {
    defer { encoder = PostgresEncoder() }
    return encoder.bytes
  }
}
