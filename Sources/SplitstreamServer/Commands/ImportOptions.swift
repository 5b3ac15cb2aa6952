/// What an import was asked to do, complete and checked as far as that goes without the file and
/// the server.
struct ImportOptions: Sendable {
  let address: ServerAddress
  let key: String
  let file: String
  let unitColumn: String
  let variantColumn: String
  /// A variant's name as it stands in the file, or its key.
  let control: String
  /// The first is the primary metric, the others are guardrails.
  let metricColumns: [ImportColumn]
  let experimentKey: String
  let environmentSlug: String?

  static let urlDefault = "http://127.0.0.1:8000"
  static let urlVariable = "SPLITSTREAM_URL"
  static let keyVariable = "SPLITSTREAM_SERVER_KEY"

  /// - Parameter variable: the value of an environment variable.
  init(
    url: String?, key: String?, file: String, unitColumn: String, variantColumn: String,
    control: String, metricColumns: [ImportColumn], experimentKey: String?,
    environmentSlug: String?,
    variable: (String) -> String?
  ) throws(ImportError) {
    do throws(ClientError) {
      address = try ServerAddress(parsing: url ?? variable(Self.urlVariable) ?? Self.urlDefault)
    } catch {
      throw .client(error)
    }
    guard let key = key ?? variable(Self.keyVariable), !key.isEmpty else {
      throw .options(
        "no server key: give --key, or set \(Self.keyVariable) (`make run` writes it to .splitstream/dev.env)"
      )
    }
    // It becomes a header field: nothing that could end the line.
    guard key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw .options("the server key has characters that no key has")
    }
    let columns = [unitColumn, variantColumn] + metricColumns.map(\.name)
    guard !metricColumns.isEmpty else {
      throw .options(
        "at least one column of --binary, --revenue, --count or --duration is needed")
    }
    for (index, column) in columns.enumerated() where columns[..<index].contains(column) {
      throw .options("the column \"\(column)\" is named twice")
    }
    if let experimentKey {
      guard KeyName.isValid(experimentKey, bytesMax: KeyName.experimentBytesMax) else {
        throw .options(
          "\"\(experimentKey)\" is no experiment key: 1 to 128 of a-z, 0-9, dot, dash and underscore"
        )
      }
      self.experimentKey = experimentKey
    } else if let made = KeyName.make(fromFile: file) {
      self.experimentKey = made
    } else {
      throw .options("the name of \(file) makes no experiment key: give --experiment")
    }
    self.key = key
    self.file = file
    self.unitColumn = unitColumn
    self.variantColumn = variantColumn
    self.control = control
    self.metricColumns = metricColumns
    self.environmentSlug = environmentSlug
  }
}
