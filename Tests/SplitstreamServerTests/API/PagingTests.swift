import Testing

@testable import SplitstreamServer

/// Lists: newest first, each row on one page, and a cursor that ends.
@Suite struct PagingTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  /// The ids on all pages of a list, page by page.
  private func pages(
    _ operation: Operation, _ parameters: String = "", limit: Int, query: String = "",
    member: StaticString = "data",
    as key: String
  ) async throws -> [[String]] {
    var pages: [[String]] = []
    var cursor = ""
    repeat {
      let reply = try await server.call(
        operation, parameters, query: "limit=\(limit)\(cursor)\(query)", as: .key(key))
      #expect(reply.status == 200)
      pages.append(reply.json[member]?.elements.compactMap { $0["id"]?.string } ?? [])
      cursor = reply.text("next_cursor").map { "&cursor=\($0)" } ?? ""
    } while !cursor.isEmpty && pages.count < 100
    return pages
  }

  @Test("every row is on exactly one page, newest first, whatever the page's length")
  func pages() async throws {
    let tenant = try await server.newTenant(environments: ["one"])
    let key = tenant.key
    var metrics: [String] = []
    var experiments: [String] = []
    for index in 0..<13 {
      let metric = #"{"key":"m\#(index)","name":"M","event_key":"e","kind":"binary"}"#
      let created = try await server.call(.createMetric, as: .key(key), body: metric)
      metrics.append(try #require(created.text("id")))
      experiments.append(
        try await server.draft(in: tenant.environments["one"], as: .key(key)).id)
      let environment = #"{"name":"E","slug":"e\#(index)"}"#
      #expect(
        try await server.call(.createEnvironment, as: .key(key), body: environment).status == 201)
    }
    for limit in [1, 4, 13, 14, 200] {
      let metricPages = try await pages(.listMetrics, limit: limit, as: key)
      // Ids of one millisecond are in no order but their own.
      #expect(metricPages.joined().sorted() == metrics.sorted())
      #expect(metricPages.joined().elementsEqual(metricPages.joined().sorted(by: >)))
      #expect(metricPages.allSatisfy { (1...limit).contains($0.count) })
      #expect(metricPages.count == (13 + limit - 1) / limit)
      let experimentPages = try await pages(.listExperiments, limit: limit, as: key)
      #expect(experimentPages.joined().sorted() == experiments.sorted())
    }
    #expect(try await pages(.listEnvironments, limit: 5, as: key).map(\.count) == [5, 5, 4])
    #expect(try await pages(.listApiKeys, limit: 2, as: key).map(\.count) == [2, 1])
    let audit = try await pages(.listAudit, limit: 7, as: key)
    // Three keys, one environment, and thirteen of each.
    #expect(audit.joined().count == 4 + 39)
    #expect(Set(audit.joined()).count == 4 + 39)
  }

  @Test("an empty list is a list")
  func empty() async throws {
    let tenant = try await server.newTenant()
    for operation in [Operation.listMetrics, .listExperiments] {
      let reply = try await server.call(operation, as: .key(tenant.key))
      #expect(reply.json["data"]?.elements.isEmpty == true)
      #expect(reply.json["next_cursor"]?.isNull == true)
    }
  }

  @Test(
    "what is no page is named",
    arguments: [
      ("limit=0", ["/query/limit"]), ("limit=201", ["/query/limit"]),
      ("limit=-1", ["/query/limit"]),
      ("limit=%2B5", ["/query/limit"]), ("limit=", ["/query/limit"]),
      ("limit=1e2", ["/query/limit"]),
      ("limit=99999999999999999999", ["/query/limit"]), ("limit=%D9%A5", ["/query/limit"]),
      ("cursor=x", ["/query/cursor"]), ("cursor=", ["/query/cursor"]),
      ("cursor=81ARZ3NDEKTSV4RRFFQ69G5FAV&limit=x", ["/query/cursor", "/query/limit"]),
    ])
  func wrong(query: String, pointers: [String]) async throws {
    for operation in [
      Operation.listEnvironments, .listMetrics, .listExperiments, .listApiKeys, .listAudit,
    ] {
      let reply = try await server.call(operation, query: query)
      #expect(reply.status == 422)
      #expect(reply.pointers == pointers)
    }
    let experiment = try await server.draft()
    // Where a page holds more.
    let longer = query == "limit=201" ? "limit=2501" : query
    #expect(
      try await server.call(.getResultsHistory, experiment.id, query: longer).pointers == pointers)
  }

  @Test("a cursor beyond the end is an empty page; parameters nobody knows are ignored")
  func beyond() async throws {
    let reply = try await server.call(
      .listMetrics, query: "cursor=00000000000000000000000000&color=red")
    #expect(reply.status == 200)
    #expect(reply.json["data"]?.elements.isEmpty == true)
  }
}
