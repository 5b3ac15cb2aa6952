/// What libFuzzer hands over, as an array of our own: no access can leave it unseen.
func fuzzInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> [UInt8] {
  Array(UnsafeBufferPointer(start: data, count: size))
}

/// Two places to cut an input at, the same whenever it is run: all places would cost the fuzzer
/// most of its inputs. Unit tests cut everywhere.
func fuzzCuts(of bytes: [UInt8]) -> [Int] {
  guard !bytes.isEmpty else { return [] }
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  return [Int(hash % UInt64(bytes.count)), Int((hash >> 32) % UInt64(bytes.count))]
}

/// The first line, without its end, and what follows it.
func fuzzLines(_ bytes: [UInt8]) -> (first: [UInt8], rest: [UInt8]) {
  let first = bytes.prefix { $0 != 0x0a }
  return (Array(first), Array(bytes[first.endIndex...].dropFirst()))
}
