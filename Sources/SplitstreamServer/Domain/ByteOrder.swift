/// Texts in the order of their bytes.
enum ByteOrder {
  /// Below, at or above zero.
  static func compare(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
    for index in 0..<min(left.count, right.count) where left[index] != right[index] {
      return Int(left[index]) - Int(right[index])
    }
    return left.count - right.count
  }

  static func isEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    left.count == right.count && compare(left, right) == 0
  }

  static func starts(_ text: Span<UInt8>, with start: Span<UInt8>) -> Bool {
    text.count >= start.count && isEqual(text.extracting(first: start.count), start)
  }

  static func ends(_ text: Span<UInt8>, with end: Span<UInt8>) -> Bool {
    text.count >= end.count && isEqual(text.extracting(last: end.count), end)
  }
}
