import Glibc

/// The processes of this machine, as /proc shows them.
enum ProcessTable {
  /// Processes of a program that were given `argument`, a path of ours: what an earlier run has
  /// left.
  static func find(program: String, argument: String) -> [pid_t] {
    Files.names(in: "/proc").compactMap { pid_t($0) }.filter { pid in
      let command = arguments(of: pid)
      return command.first?.split(separator: "/").last.map(String.init) == program
        && command.dropFirst().contains(argument)
    }
  }

  /// Empty when there is no such process, or it is a zombie: it holds nothing any more.
  static func arguments(of pid: pid_t) -> [String] {
    guard let line = try? Files.readBytes("/proc/\(pid)/cmdline") else { return [] }
    return line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}
