/// Up to 500 exposures or events as the body of one request.
struct ImportBatch: Sendable {
  static let countMax = 500

  let body: [UInt8]
  /// The line of the file that each of them comes from.
  let lines: [Int]
}

/// The batches of one pass over the file.
struct ImportBatches {
  enum Kind: Sendable {
    case exposures
    case events
  }

  private let kind: Kind
  private let plan: ImportPlan
  private var table: ImportTable
  /// Events of the last row read that did not fit into its batch: the row and the first column
  /// left.
  private var rest: (row: ImportRow, column: Int)?

  init(_ kind: Kind, _ plan: ImportPlan, _ table: ImportTable) {
    self.kind = kind
    self.plan = plan
    self.table = table
  }

  /// Nil after the last row.
  mutating func next() throws(TableError) -> ImportBatch? {
    var lines: [Int] = []
    var body = JSONWriter(bytesReserved: 64 * 1024)
    body.beginObject()
    switch kind {
    case .exposures: body.key("exposures")
    case .events: body.key("events")
    }
    body.beginArray()
    while lines.count < ImportBatch.countMax {
      if rest == nil { rest = try table.next().map { ($0, 0) } }
      guard let (row, column) = rest else { break }
      switch kind {
      case .exposures:
        writeExposure(row, to: &body)
        lines.append(row.line)
        rest = nil
      case .events:
        rest = row.cells[column...].firstIndex { $0 != .nothing }.map { (row, $0) }
        guard let (_, column) = rest else { continue }
        writeEvent(row, plan.metrics[column], row.cells[column], to: &body)
        lines.append(row.line)
        rest = column + 1 < row.cells.count ? (row, column + 1) : nil
      }
    }
    body.endArray()
    body.endObject()
    return lines.isEmpty ? nil : ImportBatch(body: body.bytes, lines: lines)
  }

  private func writeExposure(_ row: ImportRow, to body: inout JSONWriter) {
    // A file that has changed since the survey may name a new variant; the server will refuse it.
    let variant = plan.variants.first { $0.name.elementsEqual(row.variant) }
    body.object { body in
      body.member("experiment_key", plan.experimentKey)
      body.member("unit_id", String(decoding: row.unit, as: UTF8.self))
      body.member("variant", variant?.key ?? String(decoding: row.variant, as: UTF8.self))
    }
  }

  private func writeEvent(
    _ row: ImportRow, _ metric: ImportPlan.Metric, _ cell: ImportColumn.Cell,
    to body: inout JSONWriter
  ) {
    body.object { body in
      body.member("event_key", metric.key)
      body.member("unit_id", String(decoding: row.unit, as: UTF8.self))
      body.member("client_event_id", Self.clientEventID(metric.key, row.unit))
      guard case .amount(let number) = cell else { return }
      body.member("properties") { body in
        body.object { body in body.member("value") { $0.raw(number) } }
      }
    }
  }

  static let clientEventIDBytesMax = 128

  /// The same for the same experiment, column and unit, so that an event counts once however often
  /// it is imported. A key has no colon: two different pairs never give one text.
  static func clientEventID(_ metricKey: String, _ unit: ArraySlice<UInt8>) -> String {
    if metricKey.utf8.count + 1 + unit.count <= clientEventIDBytesMax {
      return "\(metricKey):\(String(decoding: unit, as: UTF8.self))"
    }
    var fingerprint = Fingerprint()
    fingerprint.add(metricKey.utf8)
    fingerprint.add(CollectionOfOne(UInt8(ascii: ":")))
    fingerprint.add(unit)
    return "import:\(fingerprint.text)"
  }
}
