import Glibc
import Synchronization

/// One server that `dev` runs for itself: started, waited for, revived, stopped. PostgreSQL and
/// Redis differ in `Plan`.
final class PrivateServer: Sendable {
  let plan: Plan
  private let child = Mutex<ChildProcess?>(nil)

  init(_ plan: Plan) {
    self.plan = plan
  }

  /// How a server is run.
  struct Plan: Sendable {
    let name: String
    let user: ServiceUser?
    let arguments: [String]
    let log: String
    /// An argument that only this server on this machine has: its data folder.
    let mark: String
    /// What it leaves behind when it is killed.
    let leftovers: [String]
    /// Asks it to end in order; the second is for one that does not.
    let stopSignals: [Int32]
    let parentDeathSignal: String
    let isReady: @Sendable (pid_t) -> Bool
    /// A line of its log by which an early end is a passing one, worth another start.
    let passingFault: String?
  }

  /// Starts the server and waits until it answers. What an earlier run left, running or not, is
  /// cleared first.
  func start(withinSeconds seconds: Int = 60) throws {
    try endLeftovers()
    try trimLog()
    let deadline = Deadline(seconds: Double(seconds))
    let offset = Int(Files.status(plan.log)?.st_size ?? 0)
    var started = try spawn()
    while !deadline.isOver {
      if plan.isReady(started.pid) {
        child.withLock { $0 = started }
        return
      }
      if let ending = started.poll() {
        let lines = PrivateServerError.lastLines(of: plan.log, from: offset)
        guard let fault = plan.passingFault, lines.last?.contains(fault) == true else {
          throw PrivateServerError.ended(plan.name, ending, log: plan.log, lines: lines)
        }
        usleep(100_000)
        started = try spawn()
      }
      usleep(5_000)
    }
    end(started)
    throw PrivateServerError.notReady(
      plan.name, seconds: seconds, log: plan.log,
      lines: PrivateServerError.lastLines(of: plan.log, from: offset))
  }

  var pid: pid_t? { child.withLock { $0?.pid } }

  var isRunning: Bool {
    child.withLock { child in child.map { $0.poll() == nil } ?? false }
  }

  /// Asks it to end and waits; insists when it does not.
  func stop() {
    let running = child.withLock { child in
      defer { child = nil }
      return child
    }
    if let running { end(running) }
  }

  private func spawn() throws(ChildProcessError) -> ChildProcess {
    try ChildProcess(
      plan.arguments, as: plan.user, output: plan.log, parentDeathSignal: plan.parentDeathSignal)
  }

  private func end(_ process: ChildProcess) {
    for signal in plan.stopSignals + [SIGKILL] {
      process.signal(signal)
      if process.wait(seconds: 20) != nil { return }
    }
  }

  private func endLeftovers() throws {
    let program = plan.arguments[0].split(separator: "/").last.map(String.init) ?? ""
    // One that the kernel has told of our end may still be writing its last.
    for signal in plan.stopSignals + [SIGKILL] {
      let running = ProcessTable.find(program: program, argument: plan.mark)
      if running.isEmpty { break }
      for pid in running { kill(pid, signal) }
      _ = Deadline(seconds: 20).poll {
        ProcessTable.find(program: program, argument: plan.mark).isEmpty ? true : nil
      }
    }
    if let pid = ProcessTable.find(program: program, argument: plan.mark).first {
      throw PrivateServerError.cannotStopLeftover(plan.name, pid: pid)
    }
    for path in plan.leftovers { unlink(path) }
  }

  /// Keeps one old log beside the new one, so that neither grows for ever.
  private func trimLog() throws {
    guard let status = Files.status(plan.log), status.st_size > Self.logBytesMax else { return }
    guard rename(plan.log, plan.log + ".old") == 0 else { throw FileError("rename", plan.log) }
  }

  private static let logBytesMax = 4_000_000
}
