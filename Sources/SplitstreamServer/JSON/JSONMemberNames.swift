/// The names of one object's members, to find the first that appears twice.
///
/// RFC 8259 §4 leaves duplicates to the reader, and readers disagree on which counts: so they are
/// refused.
struct JSONMemberNames {
  private let nodes: [JSONNode]
  private let object: Int
  private let count: Int

  /// Up to this many members each pair is compared: cheaper than hashing, and without allocation.
  private static let pairwiseMax = 12

  init(of object: Int, count: Int, in nodes: [JSONNode]) {
    self.object = object
    self.count = count
    self.nodes = nodes
  }

  /// The node of the first name that repeats an earlier one.
  func firstDuplicate(_ text: Span<UInt8>) -> Int? {
    count <= Self.pairwiseMax ? firstDuplicateByPairs(text) : firstDuplicateByHash(text)
  }

  private func firstDuplicateByPairs(_ text: Span<UInt8>) -> Int? {
    var later = object + 1
    for ordinal in 0..<count {
      var earlier = object + 1
      for _ in 0..<ordinal {
        if nodes[earlier].isSameString(as: nodes[later], in: text) { return later }
        earlier = Int(nodes[earlier + 1].next)
      }
      later = Int(nodes[later + 1].next)
    }
    return nil
  }

  /// Open addressing over twice as many slots as names. `Hasher` is seeded per process, so that
  /// nobody outside can choose names that collide.
  private func firstDuplicateByHash(_ text: Span<UInt8>) -> Int? {
    let slotCount = 1 << (Int.bitWidth - (count * 2 - 1).leadingZeroBitCount)
    var slots = [UInt32](repeating: 0, count: slotCount)
    var name = object + 1
    for _ in 0..<count {
      var slot = nodes[name].stringHash(in: text) & (slotCount - 1)
      while slots[slot] != 0 {
        if nodes[Int(slots[slot])].isSameString(as: nodes[name], in: text) { return name }
        slot = (slot + 1) & (slotCount - 1)
      }
      slots[slot] = UInt32(name)
      name = Int(nodes[name + 1].next)
    }
    return nil
  }
}

extension JSONNode {
  /// The text of a string node.
  func string(in text: Span<UInt8>) -> String {
    let raw = text.extracting(range)
    guard isEscaped else {
      return raw.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
    return String(decoding: unescaped(raw), as: UTF8.self)
  }

  func isString(_ other: Span<UInt8>, in text: Span<UInt8>) -> Bool {
    guard isEscaped else { return JSONString.bytes(text.extracting(range), equal: other) }
    return JSONString.bytes(unescaped(text.extracting(range)).span, equal: other)
  }

  func isSameString(as other: JSONNode, in text: Span<UInt8>) -> Bool {
    guard other.isEscaped else { return isString(text.extracting(other.range), in: text) }
    return isString(unescaped(text.extracting(other.range)).span, in: text)
  }

  fileprivate func stringHash(in text: Span<UInt8>) -> Int {
    var hasher = Hasher()
    if isEscaped {
      unescaped(text.extracting(range)).withUnsafeBytes { hasher.combine(bytes: $0) }
    } else {
      text.extracting(range).withUnsafeBytes { hasher.combine(bytes: $0) }
    }
    return hasher.finalize()
  }

  private func unescaped(_ raw: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    JSONString.unescape(raw, into: &bytes)
    return bytes
  }
}
