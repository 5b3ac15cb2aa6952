import Foundation

@testable import SplitstreamServer

/// Options and small tables for the tests of the import.
enum ImportFixture {
  static func options(
    file: String = "shop.csv", control: String = "A", binary: [String] = ["bought", "returned"],
    more: [ImportColumn] = [], experiment: String? = nil, url: String = "http://127.0.0.1:1",
    environment: String? = nil
  ) throws(ImportError) -> ImportOptions {
    try ImportOptions(
      url: url, key: "ss_srv_all_x", file: file, unitColumn: "id", variantColumn: "page",
      control: control, metricColumns: binary.map { ImportColumn(name: $0, kind: .binary) } + more,
      experimentKey: experiment,
      environmentSlug: environment, variable: { _ in nil })
  }

  static let header = "id,page,bought,returned\n"
  /// Four units; three bought, one of them returned it.
  static let shop = header + "1,B,1,0\n2,A,1,1\n3,A,0,0\n4,B,yes,\n"

  static func table(_ text: String, _ options: ImportOptions) throws(TableError) -> ImportTable {
    try ImportTable(ChunkedSource(text.utf8), options)
  }

  static func survey(_ text: String, _ options: ImportOptions) throws(TableError) -> ImportSurvey {
    try ImportSurvey(table(text, options), options)
  }

  static func plan(_ text: String, _ options: ImportOptions) throws -> ImportPlan {
    try ImportPlan(options, survey(text, options))
  }

  /// Calls `body` with a file of this text, which is removed afterwards.
  static func withFile<T>(_ text: String, _ body: (String) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "shop.csv")
    try Data(text.utf8).write(to: file)
    return try body(file.path)
  }
}
