import Testing

@testable import SplitstreamServer

/// What callers of `assign` send, and which environment they mean.
@Suite struct AssignInputTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  @Test("a unit is 1 to 256 bytes, not characters")
  func unitLength() async throws {
    let experiment = try await server.running()
    for unit in [String(repeating: "x", count: 256), String(repeating: "é", count: 128), "u", " "] {
      #expect(try await server.assign(unit, to: experiment).status == 200)
    }
    for unit in ["", String(repeating: "x", count: 257), String(repeating: "é", count: 129)] {
      let reply = try await server.assign(unit, to: experiment)
      #expect(reply.status == 422)
      #expect(reply.pointers == ["/unit_id"])
    }
    #expect(try await server.assign(#"a\u0000b"#, to: experiment).status == 400)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      ("{}", ["/experiment_key", "/unit_id"]),
      (
        #"{"experiment_key":1,"unit_id":2,"context":3,"log_exposure":4}"#,
        ["/context", "/experiment_key", "/log_exposure", "/unit_id"]
      ),
      (
        #"{"experiment_key":null,"unit_id":null,"log_exposure":null}"#,
        ["/experiment_key", "/log_exposure", "/unit_id"]
      ),
      (#"{"experiment_key":"e","unit_id":["u"]}"#, ["/unit_id"]),
      (#"{"experiment_key":"e","unit_id":"u","context":[]}"#, ["/context"]),
      (
        #"{"experiment_key":"e","unit_id":"u","context":{"a":"\#(String(repeating: "x", count: 4090))"}}"#,
        ["/context"]
      ),
      (#"{"experiment_key":"e","unit_id":"u","log_exposure":"no"}"#, ["/log_exposure"]),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(.assign, as: .key(server.tenant.clientKey), body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("what nobody knows is ignored: SDKs are older and newer than the server")
  func unknownMembers() async throws {
    let experiment = try await server.running()
    let context = #""context":{"plan":"pro","nested":{"a":[1,2,{"b":null}]}},"#
    let first = try await server.assign("unit", to: experiment, #""sdk":"swift/9","#)
    #expect(first.status == 200)
    #expect(try await server.assign("unit", to: experiment, context).body == first.body)
    let longest = #""context":{"a":"\#(String(repeating: "x", count: 4088))"},"#
    #expect(try await server.assign("unit", to: experiment, longest).status == 200)
  }

  @Test("a body is read alike however it is written, and refused when a name stands twice")
  func spelling() async throws {
    let experiment = try await server.running()
    let key = experiment.key
    let plain = try await server.assign("unit", to: experiment)
    for body in [
      #" { "unit_id" : "unit" , "log_exposure" : true, "experiment_key" : "\#(key)" } "#,
      #"{"experiment_key":"\#(key)","unit_id":"\u0075nit"}"#,
      #"{"experiment_key":"\#(key)","unit_id":"unit","context":{}}"#,
    ] {
      let reply = try await server.call(.assign, as: .key(server.tenant.clientKey), body: body)
      #expect(reply.body == plain.body)
    }
    for body in [
      #"{"unit_id":"a","experiment_key":"\#(key)","unit_id":"b"}"#,
      #"{"unit_id":"unit","experiment_key":"\#(key)","experiment_key":"\#(key)"}"#,
      #"{"unit_id":"unit","experiment_key":"\#(key)","log_exposure":true,"log_exposure":true}"#,
      #"{"unit_id":"unit","experiment_key":"\#(key)"} x"#,
    ] {
      let reply = try await server.call(.assign, as: .key(server.tenant.clientKey), body: body)
      #expect(reply.status == 400)
    }
  }

  @Test(
    "a key without environment means the one it names, or the only one where the experiment runs")
  func environment() async throws {
    let dev = try await server.running()
    let key = TestCredential.key(server.tenant.key)
    #expect(try await server.assign("unit", to: dev, as: key).status == 200)

    let twin = try await server.call(
      .createExperiment, body: server.experimentBody(dev.key, in: server.tenant.production))
    #expect(try await server.call(.startExperiment, try #require(twin.text("id"))).status == 200)
    let unclear = try await server.assign("unit", to: dev, as: key)
    #expect(unclear.status == 422)
    #expect(unclear.pointers == [""])

    func assign(in environment: String, as credential: TestCredential = .tenant) async throws
      -> APIReply
    {
      try await server.call(
        .assign, as: credential, body: #"{"experiment_key":"\#(dev.key)","unit_id":"unit"}"#,
        headers: ["Splitstream-Environment: \(environment)"])
    }
    let (one, other) = (try await assign(in: "dev"), try await assign(in: "production"))
    #expect(one.text("assignment_id") != other.text("assignment_id"))
    #expect(try await assign(in: "nowhere").status == 404)
    #expect(try await assign(in: "all").status == 404)
    // A bound key means its own, whatever it says.
    #expect(try await assign(in: "production", as: .key(server.tenant.clientKey)).body == one.body)
    #expect(try await server.assign("unit", to: dev, as: .key(server.stranger.key)).status == 404)
    #expect(
      try await server.assign("unit", to: dev, as: .key(server.stranger.clientKey)).status == 404)
  }
}
