import ArgumentParser

/// `splitstream-server`: serves by default; every other thing an operator does is a subcommand.
struct SplitstreamCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "splitstream-server",
    abstract: "The self-hosted A/B-testing server.",
    discussion: """
      Try it with nothing set up:     splitstream-server dev
      Serve with your own stores:     splitstream-server --config splitstream.toml
      First time on a new database:   splitstream-server migrate   --config splitstream.toml
                                      splitstream-server bootstrap --config splitstream.toml
      """,
    version: Version.current,
    subcommands: [
      ServeCommand.self, DevCommand.self, MigrateCommand.self, CheckConfigCommand.self,
      BootstrapCommand.self,
      ImportCommand.self, SimulateCommand.self, CalculateCommand.self,
    ],
    defaultSubcommand: ServeCommand.self)
}

/// `--config FILE`, for the commands that need one.
struct ConfigurationOption: ParsableArguments {
  @Option(
    name: .customLong("config"), help: "TOML file; SPLITSTREAM_SECTION_KEY variables override it.")
  var file: String?

  func load(needs: Set<Configuration.Need>) throws -> Configuration {
    try Configuration.load(file: file, environment: ProcessEnvironment.variables(), needs: needs)
  }
}
