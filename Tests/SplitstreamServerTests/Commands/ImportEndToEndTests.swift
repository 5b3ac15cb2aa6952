import Testing

@testable import SplitstreamServer

/// The import through the HTTP API of a real server.
@Suite struct ImportEndToEndTests {
  @Test("an import counts every unit and conversion, and a second one changes nothing")
  func importsOnce() async throws {
    let server = try RunningServer.shared()
    let experiment = server.newName("import")
    // 1,200 units: more than two batches. Every third of B and every fourth of A buys; every tenth
    // returns it.
    let rows = (0..<1200).map { unit in
      let page = unit % 2 == 0 ? "A" : "B"
      let bought = unit % (page == "A" ? 4 : 3) == 0
      return "unit-\(unit),\(page),\(bought ? "TRUE" : "FALSE"),\(unit % 10 == 0 ? 1 : 0)"
    }
    let csv = ImportFixture.header + rows.joined(separator: "\n") + "\n"
    for _ in 0..<2 {
      try ImportFixture.withFile(csv) { file in
        let options = try ImportOptions(
          url: "http://127.0.0.1:\(server.port)", key: server.tenant.key, file: file,
          unitColumn: "id",
          variantColumn: "page", control: "A",
          metricColumns: ["bought", "returned"].map { ImportColumn(name: $0, kind: .binary) },
          experimentKey: experiment,
          environmentSlug: "dev", variable: { _ in nil })
        try ImportRun(options: options).run()
      }
      let found = try id(of: experiment, in: server)
      let snapshot = try await server.call(.getResults, found)
      let counts = snapshot.json["metrics"]?.elements.map { metric in
        metric["per_variant"]?.elements.map {
          [$0["sample_size"]?.integer, $0["conversions"]?.integer]
        }
      }
      #expect(counts == [[[600, 300], [600, 200]], [[600, 120], [600, 0]]])
    }
    let stored = try server.stores.texts(
      "SELECT count(*)::text FROM events WHERE event_key LIKE $1", .text(experiment + ".%"))
    #expect(stored == ["620"])
  }

  private func id(of experiment: String, in server: RunningServer) throws -> String {
    let found = try server.stores.texts(
      "SELECT id::text FROM experiments WHERE key = $1", .text(experiment))
    return try #require(found.first.flatMap { ULID(uuid: $0) }).text
  }

  @Test("amounts of any number of variants become metrics of amounts")
  func amounts() async throws {
    let server = try RunningServer.shared()
    let experiment = server.newName("import")
    // Unit i of three variants in turn spends i on every fourth visit; nobody of the last comes
    // twice.
    let rows = (0..<90).map { unit -> String in
      let page = ["A", "B", "C"][unit % 3]
      let spent = unit % 4 == 0 ? "\(unit).50" : ""
      return "u\(unit),\(page),\(spent),\(page == "C" ? 0 : unit % 5)"
    }
    let csv = "id,page,spent,visits\n" + rows.joined(separator: "\n") + "\n"
    try ImportFixture.withFile(csv) { file in
      let options = try ImportOptions(
        url: "http://127.0.0.1:\(server.port)", key: server.tenant.key, file: file,
        unitColumn: "id", variantColumn: "page", control: "A",
        metricColumns: [
          ImportColumn(name: "spent", kind: .revenue), ImportColumn(name: "visits", kind: .count),
        ], experimentKey: experiment, environmentSlug: "dev", variable: { _ in nil })
      try ImportRun(options: options).run()
    }
    let found = try id(of: experiment, in: server)
    let metrics = try await server.call(.getResults, found).json["metrics"]?.elements.map { $0 }
    func rates(_ index: Int) -> [Double] {
      metrics?[index]["per_variant"]?.elements.compactMap { $0["observed_rate"]?.double } ?? []
    }
    let spent = (0..<3).map { variant -> Double in
      var sum = 0.0
      for unit in stride(from: variant, to: 90, by: 3) where unit % 4 == 0 {
        sum += Double(unit) + 0.5
      }
      return sum / 30
    }
    #expect(zip(rates(0), spent).allSatisfy { abs($0 - $1) < 1e-9 } && rates(0).count == 3)
    #expect(rates(1) == [2, 2, 0])
  }
}
