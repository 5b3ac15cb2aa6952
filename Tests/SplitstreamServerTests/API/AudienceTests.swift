import Testing

@testable import SplitstreamServer

/// Only who is in the audience is assigned, and who was assigned once stays so.
@Suite struct AudienceTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private static let pros = #""audience":{"attribute":"plan","op":"eq","value":"pro"},"#
  private static let pro = #""context":{"plan":"pro"},"#
  private static let free = #""context":{"plan":"free"},"#

  private func assignments(of experiment: TestExperiment) throws -> Int {
    try server.stores.texts(
      "SELECT unit_id FROM assignments WHERE experiment_id = $1", .id(ULID(experiment.id))
    ).count
  }

  private func expectExcluded(_ reply: APIReply, _ place: SourceLocation = #_sourceLocation) {
    #expect(reply.status == 200, sourceLocation: place)
    #expect(reply.json["variant"]?.isNull == true, sourceLocation: place)
    #expect(reply.text("reason") == "audience_excluded", sourceLocation: place)
    #expect(reply.text("exclusion") == "audience", sourceLocation: place)
    #expect(reply.json["assignment_id"] == nil, sourceLocation: place)
  }

  @Test("who is not in the audience sees nothing, and nothing is stored")
  func excluded() async throws {
    let experiment = try await server.running(Self.pros)
    for context in ["", #""context":{},"#, Self.free, #""context":{"plan":["pro"]},"#] {
      for _ in 0..<3 { expectExcluded(try await server.assign("u", to: experiment, context)) }
    }
    #expect(try assignments(of: experiment) == 0)
    let admitted = try await server.assign("u", to: experiment, Self.pro)
    #expect(admitted.text("reason") == "bucketed")
    #expect(try assignments(of: experiment) == 1)
  }

  @Test("an assignment is answered whatever the context says now, also one made elsewhere")
  func sticky() async throws {
    let experiment = try await server.running(Self.pros)
    let first = try await server.assign("u", to: experiment, Self.pro)
    #expect(try await server.assign("u", to: experiment, Self.free).body == first.body)
    #expect(try await server.assign("u", to: experiment).body == first.body)
    // A row that this process has not heard of, as another process would store it.
    expectExcluded(try await server.assign("v", to: experiment, Self.free))
    let inserted = try server.stores.texts(
      """
      INSERT INTO assignments
        (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch)
      SELECT experiment_id, 'v', gen_random_uuid(), variant_id, reason, generation, epoch
      FROM assignments WHERE experiment_id = $1 RETURNING unit_id
      """, .id(ULID(experiment.id)))
    #expect(inserted == ["v"])
    let second = try await server.assign("v", to: experiment, Self.free)
    #expect(second.text("variant") == first.text("variant"))
    #expect(second.text("reason") == "bucketed")
  }

  @Test("an audience is answered as it was given, and goes with null")
  func given() async throws {
    let text = #"{ "value": [1.50, "\u00e9"],  "op": "in", "attribute": "a.b" }"#
    let draft = try await server.draft(#""audience":\#(text),"#)
    let read = try await server.call(.getExperiment, draft.id)
    #expect(read.json["audience"].map { String(decoding: $0.source, as: UTF8.self) } == text)
    let changed = try await server.call(.updateExperiment, draft.id, body: #"{"name":"Other"}"#)
    #expect(changed.json["audience"].map { String(decoding: $0.source, as: UTF8.self) } == text)
    let cleared = try await server.call(.updateExperiment, draft.id, body: #"{"audience":null}"#)
    #expect(cleared.json["audience"]?.isNull == true)
  }

  @Test("while it runs the audience stays; written in another way it is the same")
  func frozen() async throws {
    let experiment = try await server.running(Self.pros)
    for body in [
      #"{"audience":null}"#, #"{"audience":{"attribute":"plan","op":"neq","value":"pro"}}"#,
    ] {
      let reply = try await server.call(.updateExperiment, experiment.id, body: body)
      #expect(reply.status == 409)
      #expect(reply.text("detail")?.contains("/audience") == true)
    }
    let same = #"{"audience":{"value":"\u0070ro", "op":"eq", "attribute":"plan"},"name":"Same"}"#
    let reply = try await server.call(.updateExperiment, experiment.id, body: same)
    #expect(reply.status == 200)
    #expect(reply.text("name") == "Same")
  }

  @Test("every mistake of a tree is named together with the others")
  func wrong() async throws {
    let audience = #"""
      {"operator":"and","operands":[
        {"attribute":"a","op":"gt","value":"1"},{"op":"like"},{"segment":"none"}]}
      """#
    let reply = try await server.call(
      .createExperiment,
      body: server.experimentBody("UPPER", #""audience":\#(audience),"#))
    #expect(reply.status == 422)
    #expect(
      reply.pointers == [
        "/audience/operands/0/value", "/audience/operands/1/attribute",
        "/audience/operands/1/op", "/key",
      ])
  }

  @Test("where somebody else buckets, their word counts and no audience")
  func external() async throws {
    let experiment = try await server.running(#""assignment_mode":"external","# + Self.pros)
    let reply = try await server.assign("u", to: experiment, Self.free)
    #expect(reply.text("exclusion") == "not_reported")
  }
}
