import Foundation

/// The repository that these tests belong to, found through the place of this file.
enum Repository {
  static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent()  // Support
    .deletingLastPathComponent()  // SplitstreamServerTests
    .deletingLastPathComponent()  // Tests
    .deletingLastPathComponent()

  static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: root.appending(path: path)))
  }

  static func text(_ path: String) throws -> String {
    String(decoding: try bytes(path), as: UTF8.self)
  }

  /// A data file of the tests, which says its origin itself.
  static func fixture(_ name: String) throws -> [UInt8] {
    try bytes("Tests/SplitstreamServerTests/Fixtures/\(name)")
  }

  /// Paths below `folder`, relative to the root, of the files with this extension, sorted.
  static func files(in folder: String, withExtension pathExtension: String) throws -> [String] {
    let base = root.appending(path: folder)
    return try FileManager.default.subpathsOfDirectory(atPath: base.path(percentEncoded: false))
      .filter { $0.hasSuffix("." + pathExtension) }
      .map { "\(folder)/\($0)" }
      .sorted()
  }
}
