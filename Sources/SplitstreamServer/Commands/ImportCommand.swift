import ArgumentParser
import Glibc

/// `splitstream-server import`: a past experiment from a CSV file, through the API of a running
/// server.
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Replay a past experiment from a CSV file and print its result.",
    discussion: """
      Creates the experiment and its metrics on a running server, sends who saw which variant and \
      who converted, and ends with the result table. The file is checked as a whole before anything \
      is sent. Importing the same file again changes nothing.

      Example: splitstream-server import --csv cookie_cats.csv.gz --unit userid --variant version \
      --control gate_30 --binary retention_7 --binary retention_1 --count sum_gamerounds
      """)

  @Option(
    help: ArgumentHelp(
      "Address of the server.",
      discussion: "Default: $SPLITSTREAM_URL, else \(ImportOptions.urlDefault).",
      valueName: "http://host:port"))
  var url: String?

  @Option(
    help: ArgumentHelp(
      "A server key.",
      discussion: "Default: $SPLITSTREAM_SERVER_KEY, which keeps it out of the list of processes."))
  var key: String?

  @Option(help: ArgumentHelp("The file, .csv or .csv.gz, with a header line.", valueName: "file"))
  var csv: String

  @Option(help: ArgumentHelp("The column that identifies the unit.", valueName: "column"))
  var unit: String

  @Option(help: ArgumentHelp("The column that names the variant.", valueName: "column"))
  var variant: String

  @Option(help: ArgumentHelp("The variant that is the control.", valueName: "name"))
  var control: String

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Columns of TRUE/FALSE, 1/0 or yes/no.",
      discussion:
        "The first column of --binary, --revenue, --count and --duration, in this order, is the primary metric, others are guardrails.",
      valueName: "column"))
  var binary: [String] = []

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Columns of amounts; an empty or zero cell is no event.", valueName: "column"))
  var revenue: [String] = []

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Columns that say how often.", valueName: "column"))
  var count: [String] = []

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Columns that say how long.", valueName: "column"))
  var duration: [String] = []

  @Option(
    help: ArgumentHelp(
      "Key of the experiment.", discussion: "Default: the file's name made a key."))
  var experiment: String?

  @Option(
    help: ArgumentHelp(
      "The environment to import into.",
      discussion: "Default: the key's own, else the only one, else production.", valueName: "slug"))
  var environment: String?

  private var columns: [ImportColumn] {
    [(Metric.Kind.binary, binary), (.revenue, revenue), (.count, count), (.duration, duration)]
      .flatMap { kind, names in names.map { ImportColumn(name: $0, kind: kind) } }
  }

  func run() throws {
    let options = try ImportOptions(
      url: url, key: key, file: csv, unitColumn: unit, variantColumn: variant, control: control,
      metricColumns: columns, experimentKey: experiment, environmentSlug: environment,
      variable: { getenv($0).map { String(cString: $0) } })
    try ImportRun(options: options).run()
  }
}
