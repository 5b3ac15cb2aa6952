import Foundation

/// A program of this machine that ran to its end.
///
/// It reads from a file and prints into one. The end of a pipe would come only when every process
/// started meanwhile by another test, which inherits the pipe, has ended too: two such tests can
/// wait for each other for ever.
struct ProgramRun {
  /// What it printed, both ways together.
  let output: String
  let status: Int32

  init(
    _ program: String, _ arguments: [String], input: String = "", in directory: String? = nil
  ) throws {
    let folder = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    if let directory { process.currentDirectoryURL = URL(filePath: directory) }
    let printed = URL(filePath: try folder.write("", to: "output"))
    let sink = try FileHandle(forWritingTo: printed)
    process.standardInput = try FileHandle(
      forReadingFrom: URL(filePath: try folder.write(input, to: "input")))
    process.standardOutput = sink
    process.standardError = sink
    try process.run()
    process.waitUntilExit()
    output = String(decoding: try Data(contentsOf: printed), as: UTF8.self)
    status = process.terminationStatus
  }
}
