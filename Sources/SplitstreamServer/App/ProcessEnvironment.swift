/// The variables this process was started with.
enum ProcessEnvironment {
  /// From the kernel's record: glibc's `environ` is a mutable global, which Swift rightly refuses.
  static func variables() throws(FileError) -> [String: String] {
    parse(try Files.readBytes("/proc/self/environ"))
  }

  static func parse(_ record: [UInt8]) -> [String: String] {
    var variables: [String: String] = [:]
    for entry in record.split(separator: 0) {
      guard let sign = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
      // The first wins, as in getenv(3).
      let name = String(decoding: entry[..<sign], as: UTF8.self)
      if variables[name] == nil {
        variables[name] = String(decoding: entry[(sign + 1)...], as: UTF8.self)
      }
    }
    return variables
  }
}
