import ArgumentParser

/// `splitstream-server bootstrap`: the first workspace, its first environment and its first key.
struct BootstrapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bootstrap",
    abstract: "Create a workspace, an environment and the first server key, which is printed once.")

  @OptionGroup var configuration: ConfigurationOption

  @Option(help: "Slug of the workspace: a-z, 0-9 and -, at most 32.")
  var workspace = "main"

  @Option(help: "Slug of the environment: a-z, 0-9 and -, at most 32.")
  var environment = "production"

  func validate() throws {
    for (name, slug) in [("workspace", workspace), ("environment", environment)]
    where !Names.isSlug(slug) {
      throw ValidationError("--\(name) must match ^[a-z0-9-]{1,32}$ and not be \"all\"")
    }
  }

  func run() throws {
    let settings = try configuration.load(needs: [.postgres, .pepper])
    guard let pepper = settings.security.pepper else { throw ServerError.noPepper }
    let session = try PostgresSession(
      to: try PostgresAddress(parsing: settings.postgres.url),
      applicationName: "splitstream bootstrap")
    defer { session.close() }
    let setup = TenantSetup(session: session, pepper: pepper)
    if try setup.workspace(slug: workspace) != nil {
      throw ValidationError(
        "there is a workspace \"\(workspace)\" already; its keys are issued through the API")
    }
    var ids = ULIDGenerator(refill: IDSource.randomWords)
    let id = try setup.createWorkspace(slug: workspace, name: workspace, ids: &ids)
    _ = try setup.createEnvironment(slug: environment, name: environment, in: id, ids: &ids)
    let key = try setup.createKey(.server, name: "bootstrap", in: id, environment: nil, ids: &ids)
    print(
      """
      workspace    \(workspace)
      environment  \(environment)
      server key   \(key.text)

      The key is shown this once. It may do everything in the workspace: keep it where secrets are kept.
      """)
  }
}
