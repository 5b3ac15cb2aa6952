import Foundation
import Testing

@testable import SplitstreamServer

/// Secrets are written for their owner alone, and a stop in the middle leaves the old file or the
/// new one.
@Suite struct FilesTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func aPrivateFileReplacesTheOldOneAndItsMode() throws {
    let path = try folder.write("old and longer", to: "secret")
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    _ = try folder.write("left by a stop", to: "secret.new")
    try Files.writePrivate("größe\n", to: path)
    #expect(try Files.read(path) == "größe\n")
    #expect(Files.status(path)?.st_mode == 0o100600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["secret"])
  }

  @Test func errorsNameWhatWasTried() throws {
    #expect(throws: FileError("create", "/nonexistent/x.new", code: ENOENT)) {
      try Files.writePrivate("", to: "/nonexistent/x")
    }
    let binary = folder.path + "/binary"
    try Data([0xff, 0xfe]).write(to: URL(filePath: binary))
    #expect(throws: FileError("read", binary, code: EILSEQ)) { try Files.read(binary) }
    #expect(throws: FileError("read", folder.path, code: EISDIR)) { try Files.read(folder.path) }
    try Data(count: Files.bytesMax + 1).write(to: URL(filePath: binary))
    #expect(throws: FileError("read", binary, code: EFBIG)) { try Files.read(binary) }
  }

  @Test func foldersAreMadeWithThoseAbove() throws {
    let deep = folder.path + "/a/b/c"
    try Files.makeFolder(deep, mode: 0o700)
    try Files.makeFolder(deep, mode: 0o755)
    #expect(Files.status(deep)?.st_mode == 0o040700)
    let file = try folder.write("", to: "file")
    #expect(throws: FileError.self) { try Files.makeFolder(file) }
    #expect(throws: FileError.self) { try Files.makeFolder(file + "/below") }
  }

  @Test(
    "the folder of a path", arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/c", "a/b")])
  func folders(path: String, above: String) {
    #expect(Files.folder(of: path) == above)
  }

  @Test func absolutePathsOfWhatIsNotThereYet() throws {
    let link = folder.path + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.path)
    let real = try Files.absolute(folder.path)
    #expect(try Files.absolute(link + "/new/er/") == real + "/new/er")
    #expect(try Files.absolute("/nonexistent") == "/nonexistent")
    #expect(try Files.absolute("new") == FileManager.default.currentDirectoryPath + "/new")
    #expect(try Files.absolute(link + "/../" + folder.path.split(separator: "/").last!) == real)
  }
}
