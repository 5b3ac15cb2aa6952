import Glibc
import Testing

@testable import SplitstreamServer

/// How many audiences the assign path evaluates in a millisecond of one core: 2,000 or more are
/// asked for. `make bench-audience` runs it in a release build; `make test` leaves it out.
@Suite(.enabled(if: getenv("SPLITSTREAM_BENCHMARKS") != nil)) struct AudienceBenchmark {
  /// 20 nodes, of which all but one branch of an `or` must be looked at to admit `context`.
  private static let tree = #"""
    {"operator":"and","operands":[
      {"attribute":"plan","op":"in","value":["pro","team","enterprise"]},
      {"attribute":"country","op":"neq","value":"US"},
      {"operator":"or","operands":[
        {"attribute":"age","op":"lt","value":18},
        {"attribute":"age","op":"gte","value":21},
        {"attribute":"vip","op":"eq","value":true}]},
      {"operator":"not","operands":[{"attribute":"email","op":"ends_with","value":"@example.com"}]},
      {"attribute":"app.version","op":"semver_gte","value":"2.10.0"},
      {"attribute":"app.platform","op":"in","value":["ios","android"]},
      {"attribute":"locale","op":"starts_with","value":"de"},
      {"operator":"or","operands":[
        {"attribute":"orders","op":"gt","value":100},
        {"attribute":"spend","op":"gt","value":1000.50},
        {"attribute":"tags","op":"contains","value":"beta"}]},
      {"attribute":"banned","op":"not_exists"},
      {"attribute":"email","op":"contains","value":"@"},
      {"attribute":"seats","op":"lte","value":50},
      {"attribute":"country","op":"not_in","value":["FR","IT"]}]}
    """#
  private static let context = #"""
    {"plan":"team","country":"AT","age":34,"vip":false,"email":"jane.doe@company.org",
    "app":{"version":"2.11.3","platform":"ios"},"locale":"de-AT","orders":12,"spend":99.5,
    "tags":["alpha","beta"],"seats":7}
    """#

  @Test("evaluations of a 20-node tree")
  func evaluations() throws {
    let tree = try JSONValue(parsing: Array(Self.tree.utf8))
    let context = try JSONValue(parsing: Array(Self.context.utf8))
    let program = AudienceProgram(try AudienceParser.parse(tree).get().expression)
    let count = 500_000
    var rates: [Double] = []
    for _ in 0..<5 {
      let start = Self.processorMilliseconds()
      var admitted = 0
      for _ in 0..<count { admitted += program.admits(context) ? 1 : 0 }
      rates.append(Double(count) / (Self.processorMilliseconds() - start))
      #expect(admitted == count)
    }
    let median = rates.sorted()[rates.count / 2]
    print("audience: \(Int(median)) evaluations of a 20-node tree in a millisecond of one core")
  }

  /// Of this thread: what else runs on the machine does not count.
  private static func processorMilliseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
  }
}
