import Testing

@testable import SplitstreamServer

/// Environments are renamed and deleted by whoever may, and never from under what lives in them.
@Suite struct EnvironmentChangeTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func environment(_ name: String = "Staging") async throws -> (id: String, slug: String) {
    let slug = server.newName("env")
    let reply = try await server.call(
      .createEnvironment, body: #"{"name":"\#(name)","slug":"\#(slug)"}"#)
    return (try #require(reply.text("id")), slug)
  }

  @Test("it is read as it was made")
  func read() async throws {
    let (id, slug) = try await environment("Ünïcode")
    let reply = try await server.call(.getEnvironment, id)
    #expect(reply.status == 200)
    #expect(reply.text("slug") == slug)
    #expect(reply.text("name") == "Ünïcode")
    let own = try await server.call(
      .getEnvironment, server.tenant.dev, as: .key(server.tenant.boundKey))
    #expect(own.status == 200)
  }

  @Test("after a renaming the new slug counts and the old keys are valid")
  func rename() async throws {
    let (id, slug) = try await environment()
    let issued = try await server.call(
      .createApiKey, body: #"{"name":"K","kind":"client","environment_id":"\#(id)"}"#)
    let key = TestCredential.key(try #require(issued.text("key")))
    let experiment = try await server.running(in: id)
    let renamed = try await server.call(
      .updateEnvironment, id, body: #"{"slug":"\#(slug)-new","name":"Other"}"#)
    #expect(renamed.status == 200)
    #expect(renamed.text("slug") == "\(slug)-new")
    #expect(renamed.text("name") == "Other")
    #expect(try await server.call(.getEnvironment, id).body == renamed.body)
    #expect(try await server.assign("u", to: experiment, as: key).status == 200)
    for (name, status) in [(slug, 404), ("\(slug)-new", 200)] {
      let reply = try await server.call(
        .assign, body: #"{"experiment_key":"\#(experiment.key)","unit_id":"u"}"#,
        headers: ["Splitstream-Environment: \(name)"])
      #expect(reply.status == status)
    }
    // Nothing to change leaves no line in the audit log.
    #expect(try await server.call(.updateEnvironment, id, body: "{}").body == renamed.body)
    #expect(
      try await server.auditedActions(on: id) == [
        "environment.updated", "environment.created",
      ])
  }

  @Test("a slug that is taken is not taken again")
  func conflict() async throws {
    let (id, _) = try await environment()
    #expect(
      try await server.call(.updateEnvironment, id, body: #"{"slug":"production"}"#).status == 409)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (#"{"name":null,"slug":"all"}"#, ["/name", "/slug"]),
      (#"{"name":"","slug":"UP","shard":1}"#, ["/name", "/shard", "/slug"]),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let (id, _) = try await environment()
    let reply = try await server.call(.updateEnvironment, id, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("what lives in it keeps it: experiments, archived ones too, and keys in force")
  func inUse() async throws {
    let (id, _) = try await environment()
    let issued = try await server.call(
      .createApiKey, body: #"{"name":"K","kind":"client","environment_id":"\#(id)"}"#)
    #expect(try await server.call(.deleteEnvironment, id).status == 409)
    let experiment = try await server.draft(in: id)
    #expect(try await server.call(.revokeApiKey, try #require(issued.text("id"))).status == 204)
    #expect(try await server.call(.deleteEnvironment, id).status == 409)
    #expect(try await server.call(.archiveExperiment, experiment.id).status == 204)
    #expect(try await server.call(.deleteEnvironment, id).status == 409)
    // Nothing of it has happened: the revoked key is still there.
    let keys = try server.stores.texts(
      "SELECT name FROM api_keys WHERE environment_id = $1", .id(ULID(id)))
    #expect(keys == ["K"])
  }

  @Test("an empty one goes, with its revoked keys, and is gone for everybody at once")
  func delete() async throws {
    let (id, slug) = try await environment()
    let issued = try await server.call(
      .createApiKey, body: #"{"name":"K","kind":"client","environment_id":"\#(id)"}"#)
    try await server.call(.revokeApiKey, try #require(issued.text("id")))
    #expect(try await server.call(.deleteEnvironment, id).status == 204)
    #expect(try await server.call(.deleteEnvironment, id).status == 404)
    #expect(try await server.call(.getEnvironment, id).status == 404)
    for _ in 0..<8 {
      let reply = try await server.call(
        .trackEvent, body: #"{"event_key":"e","unit_id":"u"}"#,
        headers: ["Splitstream-Environment: \(slug)"])
      #expect(reply.status == 404)
    }
    // Its slug is free again.
    #expect(
      try await server.call(.createEnvironment, body: #"{"name":"A","slug":"\#(slug)"}"#).status
        == 201)
    #expect(try await server.auditedActions(on: id).first == "environment.deleted")
  }

  @Test("a bound key may read its own and change none; another workspace sees none")
  func access() async throws {
    let bound = TestCredential.key(server.tenant.boundKey)
    for (operation, body) in [
      (Operation.updateEnvironment, #"{"name":"Mine"}"#), (.deleteEnvironment, nil),
    ] {
      #expect(
        try await server.call(operation, server.tenant.dev, as: bound, body: body).status == 403)
      #expect(
        try await server.call(operation, server.tenant.production, as: bound, body: body).status
          == 404)
    }
    #expect(
      try await server.call(.getEnvironment, server.tenant.production, as: bound).status == 404)
    let stranger = TestCredential.key(server.stranger.key)
    for (operation, body) in [
      (Operation.getEnvironment, nil), (.updateEnvironment, #"{"name":"Mine"}"#),
      (.deleteEnvironment, nil),
    ] {
      #expect(
        try await server.call(operation, server.tenant.dev, as: stranger, body: body).status == 404)
    }
  }
}
