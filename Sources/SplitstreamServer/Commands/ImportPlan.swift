/// The experiment and the metrics that a file is to become; pure, from the options and the survey.
struct ImportPlan: Sendable {
  struct Variant: Equatable, Sendable {
    /// As it stands in the file.
    let name: [UInt8]
    let key: String
    /// Whole percents; all of them sum to 100.
    let weight: Int
    let isControl: Bool
  }

  struct Metric: Equatable, Sendable {
    let column: ImportColumn
    /// Also the key of the events that it counts.
    let key: String
  }

  let experimentKey: String
  /// The file's name without its folders, for the texts.
  let fileName: String
  /// The control first, the others by their names.
  let variants: [Variant]
  /// The primary metric first.
  let metrics: [Metric]

  init(_ options: ImportOptions, _ survey: ImportSurvey) throws(ImportError) {
    experimentKey = options.experimentKey
    fileName = options.file.split(separator: "/").last.map(String.init) ?? options.file
    variants = try Self.variants(options, survey)
    metrics = try Self.metrics(options)
  }

  var hypothesis: String {
    "The variants differ in \(metrics[0].column.name) (a past experiment, imported from \(fileName))."
  }

  /// Whole percents cannot split 100 into three equal parts, so the expected shares are a little
  /// wrong.
  var weightsAreEqual: Bool { variants.allSatisfy { $0.weight == variants[0].weight } }

  private static func variants(
    _ options: ImportOptions, _ survey: ImportSurvey
  ) throws(ImportError) -> [Variant] {
    func refuse(_ reason: String) -> ImportError { .data(file: options.file, reason: reason) }
    guard survey.rows > 0 else { throw refuse("has no rows") }
    var keys: [(name: [UInt8], key: String)] = []
    for (name, _) in survey.variants {
      let text = String(decoding: name, as: UTF8.self)
      guard let key = KeyName.make(from: text, bytesMax: KeyName.variantBytesMax) else {
        throw refuse("the variant \"\(text)\" has no letter or digit to make a key of")
      }
      if let other = keys.first(where: { $0.key == key }) {
        let otherText = String(decoding: other.name, as: UTF8.self)
        throw refuse(
          "the variants \"\(otherText)\" and \"\(text)\" would both be called \"\(key)\"")
      }
      keys.append((name, key))
    }
    let names = keys.map { "\"\(String(decoding: $0.name, as: UTF8.self))\"" }
      .joined(separator: ", ")
    guard
      let control = keys.firstIndex(where: { $0.name.elementsEqual(options.control.utf8) })
        ?? keys.firstIndex(where: { $0.key == options.control })
    else { throw refuse("no row has the control \"\(options.control)\", only \(names)") }
    guard keys.count >= 2 else { throw refuse("all rows are of one variant, \(names)") }

    let first = keys.remove(at: control)
    let ordered = [first] + keys.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    return ordered.enumerated().map { index, variant in
      let weight = 100 / ordered.count + (index < 100 % ordered.count ? 1 : 0)
      return Variant(
        name: variant.name, key: variant.key, weight: weight, isControl: index == 0)
    }
  }

  private static func metrics(_ options: ImportOptions) throws(ImportError) -> [Metric] {
    var metrics: [Metric] = []
    for column in options.metricColumns {
      guard let name = KeyName.make(from: column.name, bytesMax: KeyName.metricBytesMax) else {
        throw .options("the column \"\(column.name)\" has no letter or digit to make a key of")
      }
      let key = "\(options.experimentKey).\(name)"
      guard KeyName.isValid(key, bytesMax: KeyName.metricBytesMax) else {
        throw .options("the metric \"\(key)\" is longer than \(KeyName.metricBytesMax) bytes")
      }
      if let other = metrics.first(where: { $0.key == key }) {
        throw .options(
          "the columns \"\(other.column.name)\" and \"\(column.name)\" would both be the metric \"\(key)\""
        )
      }
      metrics.append(Metric(column: column, key: key))
    }
    return metrics
  }
}
