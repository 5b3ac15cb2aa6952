/// An import from the first look at the file to the result; every step in its order.
struct ImportRun {
  let options: ImportOptions

  func run() throws(ImportError) {
    let startedAt = Monotonic.now()
    let survey = try readable { () throws(TableError) in
      try ImportSurvey(ImportTable(options), options)
    }
    let plan = try ImportPlan(options, survey)
    note(Self.summary(of: survey, plan))

    let api = api(environment: nil)
    try ImportSetup.called { () throws(ClientError) in try api.client.connect() }
    let environment = try ImportSetup.environment(options.environmentSlug, api)
    api.client.fields = fields(environment: environment.slug)
    let experimentID = try ImportSetup(api: api, plan: plan).prepare(in: environment)

    let exposures = try send(.exposures, survey.rows, plan, environment)
    let events = try send(.events, survey.conversions.reduce(0, +), plan, environment)

    let snapshot = try ImportSetup.called { () throws(ClientError) in
      try api.post("/v1/experiments/\(experimentID)/snapshots")
    }
    let report = SnapshotReport(snapshot, experimentKey: plan.experimentKey)
    let seconds = NumberText.fixed(Monotonic.now() - startedAt, decimals: 1)
    note("done in \(seconds) s\n")
    Terminal.writeResult(report.text)
    let rejected = exposures.rejected + events.rejected
    guard rejected == 0 else { throw .rejected(count: rejected) }
  }

  // MARK: Steps

  private func send(
    _ kind: ImportBatches.Kind, _ total: Int, _ plan: ImportPlan,
    _ environment: ImportSetup.Environment
  ) throws(ImportError) -> ImportTally {
    let (label, target) =
      switch kind {
      case .exposures: ("exposures", "/v1/exposures/batch")
      case .events: ("events", "/v1/events/batch")
      }
    let table = try readable { () throws(TableError) in try ImportTable(options) }
    let sender = ImportSender(target: target) { [self] in api(environment: environment.slug) }
    let tally = try sender.send(
      ImportBatches(kind, plan, table), file: options.file,
      progress: ProgressBar(
        label: label, total: total, isInteractive: Terminal.isInteractive, at: Monotonic.now()))
    if tally.replayed > 0 { note("\(counted(tally.replayed, "row")) had been imported before") }
    for line in tally.rejectionLines { note(line) }
    return tally
  }

  /// What the file is taken for, with a word about what looks odd in it.
  static func summary(of survey: ImportSurvey, _ plan: ImportPlan) -> String {
    let variants = plan.variants.map { variant in
      let rows = survey.variants.first { $0.name == variant.name }?.rows ?? 0
      return "\(variant.key) \(NumberText.grouped(rows))\(variant.isControl ? " (control)" : "")"
    }
    var lines = [
      "\(plan.fileName): \(counted(survey.rows, "row")), \(variants.joined(separator: ", "))"
    ]
    if survey.repeatedRows > 0 {
      lines.append(
        "\(counted(survey.repeatedRows, "row")) repeat a unit of an earlier row, "
          + "\(NumberText.grouped(survey.contradictingRows)) of them with another variant; "
          + "a unit counts once, in the variant that the server hears of first")
    }
    if !plan.weightsAreEqual {
      let weights = plan.variants.map { "\($0.weight)" }.joined(separator: "/")
      lines.append(
        "weights are whole percents, here \(weights); in a large file the sample ratio test sees "
          + "the difference to equal shares")
    }
    return lines.joined(separator: "\n")
  }

  // MARK: Details

  private func api(environment: String?) -> ServerAPI {
    ServerAPI(client: HTTPClient(options.address, fields: fields(environment: environment)))
  }

  private func fields(environment: String?) -> [(name: String, value: String)] {
    var fields = [("Authorization", "Bearer \(options.key)"), ("Accept", "application/json")]
    // Which environment a key of the whole workspace means.
    if let environment { fields.append(("Splitstream-Environment", environment)) }
    return fields
  }

  private func readable<T>(_ body: () throws(TableError) -> T) throws(ImportError) -> T {
    do throws(TableError) { return try body() } catch { throw .table(file: options.file, error) }
  }

  private func note(_ text: String) { Terminal.writeNote(text + "\n") }
}
