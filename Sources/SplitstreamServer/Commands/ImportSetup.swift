/// Finds or creates on the server what a plan needs. What is there already is used when it fits,
/// and never changed.
struct ImportSetup {
  let api: ServerAPI
  let plan: ImportPlan

  struct Environment: Equatable {
    let id: String
    let slug: String
  }

  /// The environment named; else the only one that the key sees; else the one called `production`.
  static func environment(_ slug: String?, _ api: ServerAPI) throws(ImportError) -> Environment {
    let all = try called { () throws(ClientError) in
      try api.all(in: "/v1/environments").map { entry throws(ClientError) in
        Environment(id: try entry.text("id"), slug: try entry.text("slug"))
      }
    }
    if slug == nil, all.count == 1 { return all[0] }
    let wanted = slug ?? "production"
    if let found = all.first(where: { $0.slug == wanted }) { return found }
    let slugs = all.map(\.slug).joined(separator: ", ")
    throw .options(
      slug == nil
        ? "which environment? Give --environment, one of: \(slugs)"
        : "this key sees no environment \"\(wanted)\", only: \(slugs)")
  }

  /// Makes the metrics and a running experiment; the experiment's id.
  func prepare(in environment: Environment) throws(ImportError) -> String {
    var metricIDs: [String] = []
    for metric in plan.metrics { metricIDs.append(try prepare(metric)) }

    let experiment = try experiment(in: environment, metricIDs)
    let id = try Self.called { () throws(ClientError) in try experiment.text("id") }
    if experiment["status"]?.string == "draft" { try start(id) }
    return id
  }

  // MARK: Metrics

  private func prepare(_ metric: ImportPlan.Metric) throws(ImportError) -> String {
    let found = try Self.findOrCreate {
      () throws(ClientError) in
      try api.first(in: "/v1/metrics") { $0["key"]?.string == metric.key }
    } create: { () throws(ClientError) in
      var body = JSONWriter()
      body.object { body in
        body.member("key", metric.key)
        body.member("name", metric.column.name)
        body.member("event_key", metric.key)
        body.member("kind", metric.column.kind.rawValue)
        if metric.column.kind != .binary {
          body.member("aggregation", metric.column.aggregation.rawValue)
        }
      }
      return try api.post("/v1/metrics", body.bytes)
    }
    let (kind, aggregation) = (metric.column.kind, metric.column.aggregation)
    guard found["kind"]?.string == kind.rawValue, found["event_key"]?.string == metric.key,
      found["property_path"]?.string == nil,
      kind == .binary || found["aggregation"]?.string == aggregation.rawValue
    else {
      throw .mismatch(
        "the metric \"\(metric.key)\" exists and reads events in another way: "
          + "give another --experiment")
    }
    return try Self.called { () throws(ClientError) in try found.text("id") }
  }

  // MARK: Experiment

  private func experiment(
    in environment: Environment, _ metricIDs: [String]
  ) throws(ImportError) -> JSONValue {
    func isSame(_ entry: JSONValue) -> Bool {
      entry["key"]?.string == plan.experimentKey
        && entry["environment_id"]?.string == environment.id
    }
    let found = try Self.findOrCreate {
      () throws(ClientError) in
      try api.first(in: "/v1/experiments", where: isSame)
    } create: { () throws(ClientError) in
      try api.post("/v1/experiments", experimentInput(environment, metricIDs))
    } findHidden: { () throws(ClientError) in
      // Lists leave archived experiments out unless asked for them.
      try api.first(in: "/v1/experiments", query: "&status=archived", where: isSame)
    }
    if let difference = difference(of: found, metricIDs) {
      throw .mismatch(
        "the experiment \"\(plan.experimentKey)\" exists and \(difference): "
          + "give another --experiment")
    }
    return found
  }

  private func experimentInput(_ environment: Environment, _ metricIDs: [String]) -> [UInt8] {
    var body = JSONWriter()
    body.object { body in
      body.member("environment_id", environment.id)
      body.member("key", plan.experimentKey)
      body.member("name", plan.experimentKey)
      body.member("hypothesis", plan.hypothesis)
      body.member("unit_type", "user")
      body.member("assignment_mode", "external")
      body.member("variants", array: plan.variants) { body, variant in
        body.object { body in
          body.member("key", variant.key)
          body.member("weight", variant.weight)
          body.member("is_control", variant.isControl)
        }
      }
      body.member("primary_metric_id", metricIDs[0])
      body.member("guardrail_metric_ids", Array(metricIDs[1...]))
    }
    return body.bytes
  }

  /// Why an existing experiment cannot take the file; nil when it can.
  private func difference(of experiment: JSONValue, _ metricIDs: [String]) -> String? {
    let status = experiment["status"]?.string ?? "unknown"
    guard status == "draft" || status == "running" else { return "is \(status)" }
    guard experiment["assignment_mode"]?.string == "external" else {
      return "assigns its units itself (assignment_mode is not external)"
    }
    let variants = experiment["variants"]?.elements.map {
      "\($0["key"]?.string ?? "")\($0["is_control"]?.bool == true ? " (control)" : "")"
    }
    let planned = plan.variants.map { "\($0.key)\($0.isControl ? " (control)" : "")" }
    guard Set(variants ?? []) == Set(planned) else {
      return "has the variants \((variants ?? []).joined(separator: ", ")), "
        + "the file has \(planned.joined(separator: ", "))"
    }
    let guardrails = experiment["guardrail_metric_ids"]?.elements.compactMap(\.string) ?? []
    guard experiment["primary_metric_id"]?.string == metricIDs[0],
      Set(guardrails) == Set(metricIDs[1...])
    else { return "has other metrics than these columns in this order" }
    return nil
  }

  private func start(_ id: String) throws(ImportError) {
    do throws(ClientError) {
      _ = try api.post("/v1/experiments/\(id)/start")
    } catch {
      // 409 also answers a start that was repeated because its first answer got lost.
      let now = try Self.called { () throws(ClientError) in try api.get("/v1/experiments/\(id)") }
      guard now["status"]?.string == "running" else { throw .client(error) }
    }
  }

  // MARK: Details

  /// A creation that is refused may have happened: its answer was lost and it was repeated, or
  /// somebody else was faster. So a refusal counts only when nothing is found afterwards either.
  private static func findOrCreate(
    find: () throws(ClientError) -> JSONValue?,
    create: () throws(ClientError) -> JSONValue,
    findHidden: () throws(ClientError) -> JSONValue? = { () throws(ClientError) in nil }
  ) throws(ImportError) -> JSONValue {
    try called { () throws(ClientError) in
      if let found = try find() { return found }
      do throws(ClientError) {
        return try create()
      } catch {
        guard case .refused(let status, _) = error, status == 409 || status == 422 else {
          throw error
        }
        if let found = try find() { return found }
        if let found = try findHidden() { return found }
        throw error
      }
    }
  }

  static func called<T>(_ body: () throws(ClientError) -> T) throws(ImportError) -> T {
    do throws(ClientError) { return try body() } catch { throw .client(error) }
  }
}

extension JSONValue {
  /// A member that the contract promises.
  fileprivate func text(_ name: StaticString) throws(ClientError) -> String {
    guard let text = self[name]?.string else {
      throw .malformed(reason: "\"\(name)\" is missing")
    }
    return text
  }
}
