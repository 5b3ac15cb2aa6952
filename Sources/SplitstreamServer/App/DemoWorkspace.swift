/// The workspace that `dev` shows itself with: `demo`, its environments `dev` and `production`, and
/// two keys.
enum DemoWorkspace {
  /// Makes what is missing of it.
  ///
  /// - Parameter known: what an earlier start wrote down; its keys are taken while they are in
  ///   force.
  static func prepare(
    _ settings: Configuration, pepper: Pepper, known: DevEnvironment?
  ) throws -> DevEnvironment {
    let session = try PostgresSession(
      to: try PostgresAddress(parsing: settings.postgres.url), applicationName: "splitstream dev")
    defer { session.close() }
    let setup = TenantSetup(session: session, pepper: pepper)
    var ids = ULIDGenerator(refill: IDSource.randomWords)

    let workspace: ULID
    if let found = try setup.workspace(slug: "demo") {
      workspace = found
    } else {
      workspace = try setup.createWorkspace(slug: "demo", name: "Demo", ids: &ids)
    }
    var environments = try setup.environments(of: workspace)
    for (slug, name) in [("production", "Production"), ("dev", "Development")]
    where environments[slug] == nil {
      environments[slug] = try setup.createEnvironment(
        slug: slug, name: name, in: workspace, ids: &ids)
    }

    /// The key of an earlier start, or a new one.
    func key(_ known: String?, _ kind: APIKey.Kind, in environment: String?) throws -> String {
      if let known, try setup.isInForce(known) { return known }
      let bound = environment.flatMap { slug in environments[slug].map { (id: $0, slug: slug) } }
      return try setup.createKey(kind, name: "demo", in: workspace, environment: bound, ids: &ids)
        .text
    }
    return DevEnvironment(
      url: "", serverKey: try key(known?.serverKey, .server, in: nil),
      clientKey: try key(known?.clientKey, .client, in: "dev"), databaseURL: settings.postgres.url,
      redisURL: settings.redis.url)
  }
}
