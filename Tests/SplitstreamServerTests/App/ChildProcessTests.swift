import Foundation
import Testing

@testable import SplitstreamServer

/// A child is out of reach of the terminal's signals, starts with clean ones, and is never
/// signalled after its end.
@Suite struct ChildProcessTests {
  private let folder: TemporaryFolder
  private let log: String

  init() throws {
    folder = try TemporaryFolder()
    log = folder.path + "/log"
  }

  @Test func itsEndIsReported() throws {
    #expect(try ended("exit 0") == .exited(0))
    #expect(try ended("exit 77") == .exited(77))
    #expect(try ended("kill -TERM $$") == .signalled(SIGTERM))
  }

  @Test func whatItPrintsIsAppended() throws {
    let input = try folder.write("in\n", to: "input")
    #expect(try ended("echo out; echo error >&2") == .exited(0))
    #expect(try ended("cat", input: input) == .exited(0))
    #expect(try Files.read(log) == "out\nerror\nin\n")
  }

  /// /proc/self/stat: the sixth field is the session; its leader is the process itself.
  @Test func itHasASessionAndAnEnvironmentOfItsOwn() throws {
    _ = try ended("cut -d' ' -f1,6 /proc/$$/stat; env | sort")
    let lines = try Files.read(log).split(separator: "\n")
    let numbers = lines[0].split(separator: " ")
    #expect(numbers.count == 2 && numbers[0] == numbers[1])
    #expect(
      Set(lines.dropFirst().compactMap { $0.split(separator: "=").first }).isSubset(of: [
        "LC_ALL", "PATH", "TZ", "PWD", "OLDPWD", "SHLVL", "_",
      ]))
  }

  /// A server ignores SIGPIPE; its children must not inherit that.
  @Test func signalsAreAsASystemStartsThem() throws {
    signal(SIGPIPE, SIG_IGN)
    _ = try ended("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2")
    let masks = try Files.read(log).split(separator: "\n").map {
      try #require(UInt64($0, radix: 16))
    }
    // glibc itself ignores 32 and 33, its own, in whatever it spawns.
    #expect(masks.map { $0 & 0x7fff_ffff } == [0, 0])
  }

  @Test func itIsKilledWithUs() throws {
    // PR_GET_PDEATHSIG has no file in /proc; setpriv shows it.
    let child = try ChildProcess(["setpriv", "--dump"], output: log, parentDeathSignal: "INT")
    #expect(child.wait(seconds: 60) == .exited(0))
    #expect(try Files.read(log).contains("Parent death signal: INT"))
  }

  @Test(.enabled(if: geteuid() == 0)) func itRunsAsTheOtherUser() throws {
    let user = try #require(ServiceUser(named: "nobody"))
    let child = try ChildProcess(["id"], as: user, output: log)
    #expect(child.wait(seconds: 60) == .exited(0))
    let id = try Files.read(log)
    #expect(id.hasPrefix("uid=\(user.uid)(nobody)") && !id.contains("(root)"))
    let below = folder.path + "/closed/below"
    try Files.makeFolder(below, mode: 0o755)
    #expect(try user.canTraverse(below))
    chmod(folder.path + "/closed", 0o700)
    #expect(try !user.canTraverse(below))
  }

  @Test func aSignalEndsIt() throws {
    let child = try ChildProcess(["sleep", "60"], output: log)
    #expect(child.poll() == nil && child.wait(seconds: 0) == nil)
    child.signal(SIGTERM)
    #expect(child.wait(seconds: 60) == .signalled(SIGTERM))
    child.signal(SIGTERM)
    #expect(child.poll() == .signalled(SIGTERM))
  }

  @Test func aMissingProgramIsAnEnd() throws {
    let child = try ChildProcess(["/nonexistent/program"], output: log)
    #expect(child.wait(seconds: 60) == .exited(127))
    #expect(try Files.read(log).contains("/nonexistent/program"))
  }

  private func ended(_ script: String, input: String = "/dev/null") throws -> ChildProcess.Ending? {
    try ChildProcess(["sh", "-c", script], input: input, output: log).wait(seconds: 60)
  }
}
