import Testing

@testable import SplitstreamServer

/// Binary values, checked against what the server itself reads and writes as text.
@Suite struct PostgresValueTests {
  /// One database for all: nothing is stored in it.
  static let url = Result { try TestServers.shared.postgresURL(database: "values") }
  static let high: UInt64 = 0x0123_4567_89ab_cdef
  static let low: UInt64 = 0xfedc_ba98_7654_3210

  @Test(
    "the server reads a parameter as we mean it",
    arguments: [
      (.null, "bigint", nil),
      (.bool(true), "boolean", "true"),
      (.int(.min), "bigint", "-9223372036854775808"),
      (.int(.max), "bigint", "9223372036854775807"),
      (.double(-0.1), "double precision", "-0.1"),
      (.double(.infinity), "double precision", "Infinity"),
      (.text(""), "text", ""),
      (.text("e\u{301} ≠ é, \\ ' \" \n"), "text", "e\u{301} ≠ é, \\ ' \" \n"),
      (.utf8(Array("é".utf8)), "text", "é"),
      (.bytes([]), "bytea", "\\x"),
      (.bytes([0, 255, 10]), "bytea", "\\x00ff0a"),
      (.uuid(high: high, low: low), "uuid", "01234567-89ab-cdef-fedc-ba9876543210"),
      (.timestamp(microseconds: 0), "timestamptz", "1970-01-01 00:00:00+00"),
      (.timestamp(microseconds: -1), "timestamptz", "1969-12-31 23:59:59.999999+00"),
      (.timestamp(microseconds: 1_709_210_096_500_000), "timestamptz", "2024-02-29 12:34:56.5+00"),
      (.jsonb(Array(#"{"a": 1.50}"#.utf8)), "jsonb", #"{"a": 1.50}"#),
      (.bools([true, nil]), "boolean[]", "{t,NULL}"),
      (.ints([]), "bigint[]", "{}"),
      (.ints([1, nil, -3]), "bigint[]", "{1,NULL,-3}"),
      (.doubles([0.5, nil]), "double precision[]", "{0.5,NULL}"),
      (.texts(["", nil, "a,b"]), "text[]", #"{"",NULL,"a,b"}"#),
      (.byteArrays([[1], []]), "bytea[]", #"{"\\x01","\\x"}"#),
      (
        .uuids([PostgresUUID(high: high, low: low)]), "uuid[]",
        "{01234567-89ab-cdef-fedc-ba9876543210}"
      ),
      (.timestamps([0]), "timestamptz[]", #"{"1970-01-01 00:00:00+00"}"#),
      (.jsonbs([Array("[]".utf8)]), "jsonb[]", "{[]}"),
    ] as [(PostgresValue, String, String?)])
  func parameter(value: PostgresValue, type: String, text: String?) throws {
    let session = try PostgresTesting.session(Self.url.get())
    let written = try session.rows(
      Statement(name: "echo", sql: "SELECT $1::\(type)::text"), [value]
    ) { row throws(PostgresError) in try row.textOrNil(0) }
    #expect(written == [text])
  }

  @Test("a row is read as the server means it")
  func row() throws {
    let session = try PostgresTesting.session(Self.url.get())
    let literals = Statement(
      name: "literals",
      sql: """
        SELECT true, (-2)::smallint, (-3)::integer, (-4)::bigint, 0.5::real, 0.1::double precision, 'é'::text,
          '\\x00ff'::bytea, '01234567-89ab-cdef-fedc-ba9876543210'::uuid, '1969-12-31 23:59:59.5Z'::timestamptz,
          '{"a":1.50}'::json, '{"a":1.50}'::jsonb, NULL::text, 'infinity'::timestamptz,
          '{a,"b c"}'::text[], '{1,2}'::int[], '{}'::bigint[], '{NULL}'::bigint[], '{{1},{2}}'::bigint[],
          '{t,f}'::boolean[], '{0.5}'::double precision[], 'x'::name
        """)
    let rows: [Void] = try session.rows(literals, []) { row in
      do { try check(row) } catch { Issue.record(error) }
    }
    #expect(rows.count == 1)
  }

  private func check(_ row: Row) throws {
    let document = Array(#"{"a":1.50}"#.utf8)
    #expect(try row.bool(0))
    #expect(try (row.int(1), row.int(2), row.int(3)) == (-2, -3, -4))
    #expect(try (row.double(4), row.double(5)) == (0.5, 0.1))
    #expect(try row.text(6) == "é")
    #expect(try row.bytes(6) == Array("é".utf8))
    #expect(try row.bytes(7) == [0, 255])
    #expect(try row.uuid(8) == PostgresUUID(high: Self.high, low: Self.low))
    #expect(try row.timestamp(9) == -500_000)
    #expect(try row.json(10) == document)
    #expect(try row.json(11) == Array(#"{"a": 1.50}"#.utf8))
    #expect(try row.textOrNil(12) == nil && row.isNull(12))
    #expect(throws: PostgresError.decoding("column 12 is NULL")) { try row.text(12) }
    #expect(throws: PostgresError.decoding("column 13 is an infinite time")) {
      try row.timestamp(13)
    }
    #expect(try row.texts(14) == ["a", "b c"])
    #expect(try row.ints(15) == [1, 2])
    #expect(try row.ints(16) == [])
    #expect(throws: PostgresError.self) { try row.ints(17) }
    #expect(throws: PostgresError.self) { try row.ints(18) }
    #expect(try row.bools(19) == [true, false])
    #expect(try row.doubles(20) == [0.5])
    #expect(try row.text(21) == "x")
    #expect(throws: PostgresError.decoding("column 6 has type 25, not integer")) { try row.int(6) }
    #expect(throws: PostgresError.decoding("there is no column 22: the result has 22")) {
      try row.int(22)
    }
  }
}
