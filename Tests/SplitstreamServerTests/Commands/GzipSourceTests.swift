import Foundation
import Testing

@testable import SplitstreamServer

/// Reads what gzip wrote; the samples are the output of `printf 'hello\n' | gzip -n` and of the
/// same for `world`.
@Suite struct GzipSourceTests {
  private static let hello: [UInt8] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7,
    0x02, 0x00, 0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00,
  ]
  private static let world: [UInt8] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x2b, 0xcf, 0x2f, 0xca, 0x49, 0xe1,
    0x02, 0x00, 0xa8, 0x61, 0x38, 0xdd, 0x06, 0x00, 0x00, 0x00,
  ]

  private func text(_ bytes: [UInt8], chunkBytes: Int = .max) throws -> String {
    let source = GzipSource(ChunkedSource(bytes, chunkBytes: chunkBytes))
    var text: [UInt8] = []
    while let chunk = try source.nextChunk() { text += chunk }
    return String(decoding: text, as: UTF8.self)
  }

  @Test("members follow each other, cut anywhere", arguments: 1...30)
  func members(chunkBytes: Int) throws {
    #expect(try text(Self.hello, chunkBytes: chunkBytes) == "hello\n")
    #expect(try text(Self.hello + Self.world, chunkBytes: chunkBytes) == "hello\nworld\n")
    #expect(try text(Self.hello + [0, 0, 0], chunkBytes: chunkBytes) == "hello\n")
  }

  @Test("a file that ends too soon is an error", arguments: 1..<26)
  func truncated(bytes: Int) {
    let cut = Array(Self.hello.prefix(bytes))
    #expect(throws: TableError.gzip(reason: "the compressed file is truncated")) {
      try text(cut)
    }
    #expect(throws: TableError.self) { try text(Self.world + cut, chunkBytes: 7) }
  }

  @Test func damageIsAnError() {
    var flipped = Self.hello
    flipped[20] ^= 1  // in the checksum
    #expect(throws: TableError.self) { try text(flipped) }
    #expect(throws: TableError.self) { try text(Self.hello + Array("rest".utf8)) }
    #expect(throws: TableError.self) { try text(Array("no gzip at all".utf8)) }
  }

  @Test func manyMembersGiveManyChunks() throws {
    let members = (0..<5_000).flatMap { _ in Self.hello }
    #expect(try text(members, chunkBytes: 1000).utf8.count == 30_000)
  }

  @Test func aFileIsReadByItsContent() throws {
    let path = NSTemporaryDirectory() + "splitstream-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(Self.hello).write(to: URL(fileURLWithPath: path))
    let file = try FileSource(path: path)
    #expect(try file.begins(with: GzipSource.magic))
    #expect(try file.nextChunk() == Self.hello)
    #expect(try file.nextChunk() == nil)
    #expect(throws: TableError.self) { try FileSource(path: path + "-missing") }
    #expect(throws: TableError.file(reason: "is not a regular file")) {
      try FileSource(path: NSTemporaryDirectory())
    }
  }
}
