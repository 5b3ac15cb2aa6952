import Testing

@testable import SplitstreamServer

/// The calculators through the API: the numbers are those of the reference vectors, what cannot be
/// answered is refused.
@Suite struct CalculatorTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private static let operations: [(kind: String, operation: Operation, renamed: [String: String])] =
    [
      ("sample_size", .calculateSampleSize, ["n_real": "total_before_rounding"]),
      ("power", .calculatePower, [:]),
      ("mde", .calculateEffect, ["mde_relative": "minimum_detectable_effect"]),
      ("duration_days", .calculateDuration, [:]),
    ]

  private static let members = [
    "mde_rel": "minimum_detectable_effect", "sd": "standard_deviation", "n0": "units_control",
    "n1": "units_treatment", "total": "total_units",
  ]

  @Test("planning gives the reference's numbers", arguments: operations.indices)
  func vectors(index: Int) async throws {
    let (kind, operation, renamed) = Self.operations[index]
    let file = try JSONValue(parsing: Repository.fixture("vectors_public.json"))
    let vectors = file["vectors"]?.elements.filter { $0["fn"]?.string == kind } ?? []
    try #require(!vectors.isEmpty)
    for vector in vectors {
      let members = try #require(vector["input"]).members.map { name, value in
        "\"\(Self.members[name] ?? name)\":\(String(decoding: value.source, as: UTF8.self))"
      }
      let reply = try await server.call(
        operation, body: "{\(members.joined(separator: ","))}")
      let expected = try #require(vector["expected"] ?? vector["output"])
      if expected.isNull {
        #expect(reply.status == 422, "\(members)")
        continue
      }
      #expect(reply.status == 200, "\(members) \(String(decoding: reply.body, as: UTF8.self))")
      for (name, value) in expected.members {
        let answer = reply.json[member: renamed[name] ?? name]
        let pairs =
          value.kind == .array
          ? zip(value.elements.map { $0 }, answer?.elements.map { $0 } ?? []).map { ($0, $1) }
          : [(value, try #require(answer))]
        for (wanted, given) in pairs {
          guard let wanted = wanted.double else {
            #expect(given.isNull, "\(members)")
            continue
          }
          let difference = abs(try #require(given.double) - wanted)
          #expect(difference <= max(1e-9, 1e-7 * abs(wanted)), "\(name) of \(members)")
        }
      }
    }
  }

  @Test("counts are tested against the control, corrected for their number")
  func significance() async throws {
    let reply = try await server.call(
      .calculateSignificance,
      body: """
        {"control":{"units":1000,"conversions":100},"correction":"bonferroni",
        "treatments":[{"units":1000,"conversions":140},{"units":1000,"conversions":101}]}
        """)
    #expect(reply.status == 200)
    let comparisons = Array(try #require(reply.json["comparisons"]?.elements))
    let p = comparisons.compactMap { $0["p_value"]?.double }
    let control = BinaryCounts(units: 1000, conversions: 100)
    let expected = [140, 101].map {
      FixedHorizonTest.proportions(
        treatment: BinaryCounts(units: 1000, conversions: $0), control: control)?.pValue
    }
    #expect(p == expected)
    #expect(
      comparisons.map { $0["corrected_p_value"]?.double } == p.map { min(1, $0 * 2) })
    #expect(comparisons.map { $0["significant"]?.bool } == [true, false])
  }

  @Test("means too; what does not vary has no test")
  func means() async throws {
    let reply = try await server.call(
      .calculateSignificance,
      body: """
        {"control":{"units":50,"mean":10,"standard_deviation":2},"alternative":"less",
        "treatments":[{"units":60,"mean":9,"standard_deviation":2.5},{"units":1,"mean":3,"standard_deviation":0}]}
        """)
    let comparisons = Array(try #require(reply.json["comparisons"]?.elements))
    let test = FixedHorizonTest.welch(
      treatment: UnitMoments(units: 60, mean: 9, variance: 6.25),
      control: UnitMoments(units: 50, mean: 10, variance: 4))
    #expect(comparisons[0]["p_value"]?.double == test?.pValue(.less))
    #expect(comparisons[0]["degrees_of_freedom"]?.double == test?.degreesOfFreedom)
    #expect(comparisons[1].isNull)
  }

  @Test("a split that cannot be by chance is told")
  func sampleRatio() async throws {
    let reply = try await server.call(
      .calculateSampleRatio, body: #"{"weights":[1,1,0],"counts":[5000,5600,0]}"#)
    #expect(reply.json["warning"]?.bool == true)
    #expect(reply.json["degrees_of_freedom"]?.integer == 1)
    let chiSquared = try #require(reply.json["chi_squared"]?.double)
    #expect(abs(chiSquared - 360_000.0 / 10_600) < 1e-9)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (Operation.calculateSampleSize, "{}", ["/baseline", "/minimum_detectable_effect"]),
      (
        .calculateSampleSize,
        #"{"baseline":2,"minimum_detectable_effect":0,"alpha":1,"weights":[5],"x":1}"#,
        ["/alpha", "/baseline", "/control", "/minimum_detectable_effect", "/weights", "/x"].filter {
          $0 != "/control"
        }
      ),
      (
        .calculateSampleSize, #"{"baseline":0.6,"minimum_detectable_effect":1}"#,
        ["/minimum_detectable_effect"]
      ),
      (
        .calculatePower,
        #"{"kind":"mean","baseline":1,"minimum_detectable_effect":0.1,"units_control":0,"units_treatment":1e13}"#,
        ["/standard_deviation", "/units_control", "/units_treatment"]
      ),
      (
        .calculateDuration, #"{"total_units":10,"daily_units":0,"audience_share":2}"#,
        ["/audience_share", "/daily_units"]
      ),
      (.calculateSampleRatio, #"{"weights":[1,1],"counts":[1]}"#, ["/counts"]),
      (
        .calculateSignificance,
        #"{"control":{"units":10,"conversions":11},"treatments":[{"units":5,"mean":1}],"level":1}"#,
        [
          "/control/conversions", "/level", "/treatments/0", "/treatments/0/standard_deviation",
        ]
      ),
    ])
  func wrong(operation: Operation, body: String, pointers: [String]) async throws {
    let reply = try await server.call(operation, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers.sorted() == pointers, "\(String(decoding: reply.body, as: UTF8.self))")
  }
}
