import Glibc

enum Version {
  static let current = "0.1.0"
}

enum ProcessorCount {
  /// Cores that are online; at least one.
  static var available: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}
