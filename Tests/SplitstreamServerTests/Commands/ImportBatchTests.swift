import Testing

@testable import SplitstreamServer

/// What is sent, and what the server's answers about it add up to.
@Suite struct ImportBatchTests {
  private func batches(_ kind: ImportBatches.Kind, _ text: String) throws -> [ImportBatch] {
    let options = try ImportFixture.options()
    let plan = try ImportFixture.plan(text, options)
    var batches = ImportBatches(kind, plan, try ImportFixture.table(text, options))
    var all: [ImportBatch] = []
    while let batch = try batches.next() { all.append(batch) }
    return all
  }

  @Test func exposures() throws {
    let batches = try batches(.exposures, ImportFixture.header + "1,B,1,0\n\"a\"\"b\",A,0,0\n")
    #expect(batches.map(\.lines) == [[2, 3]])
    #expect(
      batches.map { String(decoding: $0.body, as: UTF8.self) } == [
        #"{"exposures":[{"experiment_key":"shop","unit_id":"1","variant":"b"},"#
          + #"{"experiment_key":"shop","unit_id":"a\"b","variant":"a"}]}"#
      ])
  }

  @Test func eventsAreTheTrueCells() throws {
    let batches = try batches(.events, ImportFixture.shop)
    #expect(batches.map(\.lines) == [[2, 3, 3, 5]])
    let events = try JSONValue(parsing: batches[0].body)["events"]?.elements.map { $0 } ?? []
    #expect(
      events.map { $0["event_key"]?.string } == [
        "shop.bought", "shop.bought", "shop.returned", "shop.bought",
      ])
    #expect(events.map { $0["unit_id"]?.string } == ["1", "2", "2", "4"])
    #expect(
      events.map { $0["client_event_id"]?.string }
        == ["shop.bought:1", "shop.bought:2", "shop.returned:2", "shop.bought:4"])
  }

  @Test(
    "batches are full, also when a row's events fall into two", arguments: [499, 500, 501, 1001])
  func sizes(rows: Int) throws {
    let text =
      ImportFixture.header + (1...rows).map { "\($0),\($0 % 2 == 0 ? "A" : "B"),1,1\n" }.joined()
    func sizes(_ total: Int) -> [Int] {
      stride(from: 0, to: total, by: 500).map { min(500, total - $0) }
    }
    #expect(try batches(.exposures, text).map(\.lines.count) == sizes(rows))
    // One event less at the front, so that a row's two events are parted.
    let shifted = text.replacing("\n1,B,1,1\n", with: "\n1,B,0,1\n")
    let events = try batches(.events, shifted)
    #expect(events.map(\.lines.count) == sizes(2 * rows - 1))
    let ids = try events.flatMap {
      try JSONValue(parsing: $0.body)["events"]?.elements.compactMap {
        $0["client_event_id"]?.string
      } ?? []
    }
    #expect(Set(ids).count == 2 * rows - 1)
  }

  @Test func noEventsMakeNoBatch() throws {
    #expect(try batches(.events, ImportFixture.header + "1,A,0,0\n2,B,0,0\n").isEmpty)
  }

  @Test func eventIDsFitAndDiffer() {
    func id(_ key: String, _ unit: String) -> String {
      ImportBatches.clientEventID(key, Array(unit.utf8)[...])
    }
    let longest = String(repeating: "x", count: 122)
    #expect(id("a.b", longest).utf8.count == 126)
    #expect(id("a.b.c", longest) == "a.b.c:" + longest)
    let hashed = [id("a.bb.c", longest), id("a.bb.d", longest), id("a.bb.c", longest + "y")]
    #expect(Set(hashed).count == 3)
    #expect(hashed.allSatisfy { $0.utf8.count == 39 && $0.hasPrefix("import:") })
    #expect(id("a.bb.c", longest) == hashed[0])
  }

  @Test func answersAddUp() throws {
    var tally = ImportTally()
    let batch = ImportBatch(body: [], lines: [2, 3, 4, 9])
    func add(_ text: String) throws {
      try tally.add(JSONValue(parsing: Array(text.utf8)), for: batch)
    }
    try add(#"{"accepted_count":4,"replayed_count":1,"rejected":[]}"#)
    try add(
      #"{"accepted_count":1,"rejected":[{"index":3,"reason":"/events/3/unit_id is bad"},"#
        + #"{"index":1,"reason":"/events/1/unit_id is bad"},{"index":0,"reason":"other"}]}"#)
    #expect(tally.accepted == 5)
    #expect(tally.replayed == 1)
    #expect(tally.rejected == 3)
    #expect(tally.done == 8)
    #expect(
      tally.rejectionLines == [
        "rejected 2 rows, the first on line 3: /unit_id is bad",
        "rejected 1 row, the first on line 2: other",
      ])
  }

  @Test func onlySomeReasonsAreShown() throws {
    var tally = ImportTally()
    let batch = ImportBatch(body: [], lines: Array(2...13))
    let rejected = (0..<12).map { #"{"index":\#($0),"reason":"reason \#($0)"}"# }.joined(
      separator: ",")
    try tally.add(
      JSONValue(parsing: Array(#"{"accepted_count":0,"rejected":[\#(rejected)]}"#.utf8)), for: batch
    )
    #expect(tally.rejectionLines.count == ImportTally.reasonsShownMax + 1)
    #expect(tally.rejectionLines.last == "rejected others for 2 more reasons")
  }

  @Test(
    "answers that do not account for every row",
    arguments: [
      "{}", #"{"accepted_count":3,"rejected":[]}"#, #"{"accepted_count":5}"#,
      #"{"accepted_count":3,"rejected":[{"index":4,"reason":"x"}]}"#,
      #"{"accepted_count":3,"rejected":[{"reason":"x"}]}"#,
    ])
  func wrongAnswers(text: String) {
    var tally = ImportTally()
    #expect(throws: ClientError.self) {
      try tally.add(
        JSONValue(parsing: Array(text.utf8)), for: ImportBatch(body: [], lines: [2, 3, 4, 5]))
    }
  }
}
