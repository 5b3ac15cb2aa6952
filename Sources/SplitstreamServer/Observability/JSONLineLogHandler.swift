import Glibc
import Logging

/// swift-log's back end: every event is one line of JSON.
///
/// `{"time":"2026-11-21T08:00:00.123Z","level":"info","logger":"http","message":"listening","port":8000}`
///
/// Metadata stands beside the fixed members; one that bears the name of a fixed member gets a `_`
/// behind it.
struct JSONLineLogHandler: LogHandler {
  let label: String
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var logLevel: Logger.Level

  private let clock: @Sendable () -> timespec
  private let output: @Sendable ([UInt8]) -> Void

  /// - Parameters:
  ///   - clock: the time of an event, UTC.
  ///   - output: takes a whole line, its newline included.
  init(
    label: String, level: Logger.Level,
    clock: @escaping @Sendable () -> timespec = LogClock.now,
    output: @escaping @Sendable ([UInt8]) -> Void = StandardError.write
  ) {
    self.label = label
    self.logLevel = level
    self.clock = clock
    self.output = output
  }

  /// Makes this the back end of every `Logger` of the process. Once, before the first of them.
  static func install(level: Logger.Level) {
    LoggingSystem.bootstrap { JSONLineLogHandler(label: $0, level: level) }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line = LogLine()
    line.member("time", LogClock.text(clock()))
    line.member("level", event.level.rawValue)
    line.member("logger", label)
    line.member("message", event.message.description)
    if let error = event.error { line.member("error", String(describing: error)) }

    // The nearer one wins: the event's own over the logger's over the provider's.
    var all = metadataProvider?.get() ?? [:]
    all.merge(metadata) { $1 }
    if let own = event.metadata { all.merge(own) { $1 } }
    for (name, value) in all.sorted(by: { $0.key < $1.key }) {
      line.member(Self.fixedMembers.contains(name) ? name + "_" : name, value)
    }
    output(line.finished())
  }

  private static let fixedMembers: Set<String> = ["time", "level", "logger", "message", "error"]
}

/// The clock of the log lines.
enum LogClock {
  @Sendable static func now() -> timespec {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time
  }

  /// RFC 3339 in UTC with milliseconds.
  static func text(_ time: timespec) -> String {
    var seconds = time.tv_sec
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let date =
      "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
    let day = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
    return "\(date)T\(day).\(digits(Int32(time.tv_nsec / 1_000_000), 3))Z"
  }

  private static func digits(_ number: Int32, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
  }
}
