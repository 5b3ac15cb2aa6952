import Foundation
import Testing

/// The analysis against reference numbers that another implementation computed with 34 digits.
///
/// `SPLITSTREAM_VECTORS` names another file of the same format; without it the public vectors of
/// the fixture run. Every field of every answer is compared, nulls and missing fields too, and an
/// input that no function reads is a failure.
@Suite("Statistics: reference vectors")
struct StatisticsVectorTests {
  @Test("every vector of the file")
  func vectors() throws {
    let named = ProcessInfo.processInfo.environment["SPLITSTREAM_VECTORS"]
    let run = try VectorRun(
      named.map { URL(fileURLWithPath: $0) } ?? VectorRun.fixture("vectors_public.json"))
    for line in run.wrong { Issue.record("\(line)") }
    let unknown = run.unknown.values.reduce(0, +)
    #expect(run.count > 0)
    #expect(named != nil || unknown == 0, "a kind of the public vectors has no function")
    if unknown > 0 {
      let kinds = run.unknown.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      print("\(unknown) vectors of kinds not built yet: \(kinds.joined(separator: ", "))")
    }
    print("\(run.right) of \(run.count) vectors")
  }

  /// Made by statistics_extended.py: 0 to 1e9 units, up to 20 arms, rates of exactly 0 and 1.
  @Test("the extended reference numbers")
  func extended() throws {
    let run = try VectorRun(VectorRun.fixture("statistics_extended.json"))
    for line in run.wrong { Issue.record("\(line)") }
    #expect(run.right == 61)
  }

  @Test("the suite notices a wrong number, a missing field and an ignored input")
  func strictness() throws {
    let tolerance = VectorTolerance(abs: 1e-9, rel: 1e-7, fields: ["loose": 1])
    let ours: VectorAnswer = ["a": 1.0, "b": nil, "loose": 1.0]
    #expect(ours.differences(from: ours, tolerance).isEmpty)
    #expect(ours.differences(from: ["a": 1.0, "b": nil, "loose": 1.9], tolerance).isEmpty)
    #expect(!ours.differences(from: ["a": 1.000001, "b": nil, "loose": 1.0], tolerance).isEmpty)
    #expect(!ours.differences(from: ["a": 1.0, "b": 0.0, "loose": 1.0], tolerance).isEmpty)
    #expect(!ours.differences(from: ["a": 1.0, "loose": 1.0], tolerance).isEmpty)
    let more: VectorAnswer = ["a": 1.0, "b": nil, "loose": 1.0, "c": nil]
    #expect(ours.differences(from: more, tolerance) == [".c: missing"])

    let vector = VectorRun.Vector(
      id: "", fn: "iso_duration", input: ["text": "P7D", "unheard": 1.0],
      expected: ["seconds": 604800.0], tolerance: tolerance)
    let function = try #require(VectorFunctions.all["iso_duration"])
    #expect(VectorRun.differences(vector, function) == ["input.unheard: ignored"])
  }
}
