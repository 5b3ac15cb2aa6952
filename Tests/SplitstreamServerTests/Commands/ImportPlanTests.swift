import Testing

@testable import SplitstreamServer

/// From options and file to the plan: everything that is decided before the server is asked.
@Suite struct ImportPlanTests {
  @Test func theFirstPassCounts() throws {
    let survey = try ImportFixture.survey(
      ImportFixture.shop + "4,B,1,1\n4,A,0,0\n", ImportFixture.options())
    #expect(survey.rows == 6)
    #expect(survey.variants.map { String(decoding: $0.name, as: UTF8.self) } == ["B", "A"])
    #expect(survey.variants.map(\.rows) == [3, 3])
    #expect(survey.conversions == [4, 2])
    #expect(survey.repeatedRows == 2)
    #expect(survey.contradictingRows == 1)
  }

  @Test(
    "words of truth",
    arguments: [
      ("TRUE", true), ("true", true), ("1", true), ("Yes", true), ("t", true), ("Y", true),
      ("FALSE", false), ("false", false), ("0", false), ("NO", false), ("f", false), ("n", false),
      ("", false), ("2", nil), ("1.0", nil), (" 1", nil), ("NA", nil), ("truely", nil), ("١", nil),
    ] as [(String, Bool?)])
  func truth(cell: String, truth: Bool?) {
    #expect(ImportColumn.truth(Array(cell.utf8)[...]) == truth)
  }

  @Test(
    "cells of amounts",
    arguments: [
      ("12.50", .revenue, .amount(Array("12.50".utf8)[...])),
      ("-3", .revenue, .amount(Array("-3".utf8)[...])), ("-3", .count, nil),
      ("3", .count, .amount(Array("3".utf8)[...])), ("", .revenue, .nothing),
      ("0", .duration, .nothing), ("0.00", .revenue, .nothing), ("1,5", .revenue, nil),
      ("NA", .duration, nil), (" 1", .count, nil), ("true", .count, nil), ("1e400", .count, nil),
      ("1", .binary, .happened),
    ] as [(String, Metric.Kind, ImportColumn.Cell?)])
  func amounts(text: String, kind: Metric.Kind, cell: ImportColumn.Cell?) {
    #expect(ImportColumn(name: "c", kind: kind).read(Array(text.utf8)[...]) == cell)
  }

  @Test(
    "a bad row is told with its line",
    arguments: [
      ("1,A,0,0\n2,B,maybe,0\n", 3, "\"maybe\" in column \"bought\" is neither true nor false"),
      (",A,0,0\n", 2, "a unit is 1 to 256 bytes of UTF-8 without NUL"),
      ("a\0b,A,0,0\n", 2, "a unit is 1 to 256 bytes of UTF-8 without NUL"),
      ("1,,0,0\n", 2, "the variant is empty or not UTF-8"),
      ("1,A,0\n", 2, "3 fields, but the first line has 4"),
    ])
  func badRow(rows: String, line: Int, reason: String) throws {
    let options = try ImportFixture.options()
    #expect(throws: TableError.row(line: line, reason: reason)) {
      try ImportFixture.survey(ImportFixture.header + rows, options)
    }
  }

  @Test func aUnitHasAtMost256Bytes() throws {
    let options = try ImportFixture.options()
    let fits = ImportFixture.header + String(repeating: "é", count: 128) + ",A,0,0\n"
    #expect(try ImportFixture.survey(fits, options).rows == 1)
    let tooLong = ImportFixture.header + String(repeating: "x", count: 257) + ",A,0,0\n"
    #expect(throws: TableError.self) { try ImportFixture.survey(tooLong, options) }
    let invalid = Array(ImportFixture.header.utf8) + [0xff] + Array(",A,0,0\n".utf8)
    #expect(throws: TableError.self) {
      try ImportSurvey(ImportTable(ChunkedSource(invalid), options), options)
    }
  }

  @Test func missingColumnsAreToldWithThoseThatAreThere() throws {
    let options = try ImportFixture.options()
    #expect(
      throws: TableError.row(
        line: 1, reason: "there is no column \"returned\", only \"id\", \"page\", \"bought\"")
    ) { try ImportFixture.survey("id,page,bought\n", options) }
    #expect(throws: TableError.row(line: 1, reason: "there are 2 columns \"id\"")) {
      try ImportFixture.survey("id,page,bought,returned,id\n", options)
    }
    #expect(throws: TableError.file(reason: "is empty")) { try ImportFixture.survey("", options) }
  }

  @Test func aColumnOfTooManyVariantsIsAnotherColumn() throws {
    let options = try ImportFixture.options()
    let rows = (1...101).map { "\($0),v\($0),0,0\n" }
    #expect(throws: Never.self) {
      try ImportFixture.survey(ImportFixture.header + rows[..<100].joined(), options)
    }
    #expect(throws: TableError.self) {
      try ImportFixture.survey(ImportFixture.header + rows.joined(), options)
    }
  }

  @Test func thePlanOfATest() throws {
    let plan = try ImportFixture.plan(ImportFixture.shop, ImportFixture.options())
    #expect(plan.experimentKey == "shop")
    #expect(plan.variants.map(\.key) == ["a", "b"])
    #expect(plan.variants.map(\.weight) == [50, 50])
    #expect(plan.variants.map(\.isControl) == [true, false])
    #expect(plan.metrics.map(\.key) == ["shop.bought", "shop.returned"])
    #expect(plan.weightsAreEqual)
  }

  @Test(
    "weights are whole percents",
    arguments: [
      (2, [50, 50]), (3, [34, 33, 33]), (6, [17, 17, 17, 17, 16, 16]),
      (7, [15, 15] + Array(repeating: 14, count: 5)),
    ])
  func weights(variants: Int, weights: [Int]) throws {
    let rows = (1...variants).map { "\($0),v\($0),0,0\n" }.joined()
    let options = try ImportFixture.options(control: "v2")
    let plan = try ImportFixture.plan(ImportFixture.header + rows, options)
    #expect(plan.variants.map(\.weight) == weights)
    #expect(plan.variants[0].key == "v2")
  }

  @Test(
    "files that are no experiment",
    arguments: [
      ("", "has no rows"),
      ("1,A,0,0\n", "all rows are of one variant, \"A\""),
      ("1,B,0,0\n2,C,0,0\n", "no row has the control \"A\", only \"B\", \"C\""),
      (
        "1,A,0,0\n2,Gate 1,0,0\n3,gate-1,0,0\n",
        "the variants \"Gate 1\" and \"gate-1\" would both be called \"gate-1\""
      ),
      ("1,A,0,0\n2,日本,0,0\n", "the variant \"日本\" has no letter or digit to make a key of"),
    ])
  func noExperiment(rows: String, reason: String) throws {
    let options = try ImportFixture.options()
    #expect(throws: ImportError.data(file: "shop.csv", reason: reason)) {
      try ImportFixture.plan(ImportFixture.header + rows, options)
    }
  }

  @Test func theControlMayBeNamedByItsKey() throws {
    let options = try ImportFixture.options(control: "b")
    #expect(try ImportFixture.plan(ImportFixture.shop, options).variants[0].key == "b")
  }

  @Test func metricsNeedKeysOfTheirOwn() throws {
    let same = try ImportFixture.options(binary: ["bought", "Bought"])
    let text = "id,page,bought,Bought\n1,A,0,0\n2,B,0,0\n"
    #expect(throws: ImportError.self) { try ImportFixture.plan(text, same) }
    let long = try ImportFixture.options(experiment: String(repeating: "x", count: 122))
    #expect(throws: ImportError.self) { try ImportFixture.plan(ImportFixture.shop, long) }
  }

  @Test func optionsComeFromTheEnvironmentToo() throws {
    let variables = ["SPLITSTREAM_URL": "http://box:9000", "SPLITSTREAM_SERVER_KEY": "secret"]
    func options(url: String?, key: String?, _ variables: [String: String]) throws -> ImportOptions
    {
      try ImportOptions(
        url: url, key: key, file: "/a/Shop Test.csv.gz", unitColumn: "u", variantColumn: "v",
        control: "c", metricColumns: [ImportColumn(name: "b", kind: .binary)], experimentKey: nil,
        environmentSlug: nil,
        variable: { variables[$0] })
    }
    let fromVariables = try options(url: nil, key: nil, variables)
    #expect(fromVariables.address.url == "http://box:9000")
    #expect(fromVariables.key == "secret")
    #expect(fromVariables.experimentKey == "shop-test")
    let given = try options(url: "http://given", key: "k", variables)
    #expect(given.address.url == "http://given")
    #expect(given.key == "k")
    #expect(try options(url: nil, key: "k", [:]).address.url == "http://127.0.0.1:8000")
    #expect(throws: ImportError.self) { try options(url: nil, key: nil, [:]) }
    #expect(throws: ImportError.self) { try options(url: nil, key: "k\r\nX: y", [:]) }
    #expect(throws: ImportError.self) { try options(url: "ftp://x", key: "k", [:]) }
  }

  @Test func optionsThatContradictThemselves() throws {
    #expect(
      throws: ImportError.options(
        "at least one column of --binary, --revenue, --count or --duration is needed")
    ) {
      try ImportFixture.options(binary: [])
    }
    #expect(throws: ImportError.options("the column \"page\" is named twice")) {
      try ImportFixture.options(binary: ["bought", "page"])
    }
    #expect(throws: ImportError.self) { try ImportFixture.options(experiment: "Not A Key") }
    #expect(throws: ImportError.self) { try ImportFixture.options(file: "日本.csv") }
  }
}
