import Glibc

/// Small files and folders, by system calls; whole and bounded.
enum Files {
  /// Files read here are written by people or by ourselves.
  static let bytesMax = 4_194_304

  static func read(_ path: String) throws(FileError) -> String {
    guard let text = String(validating: try readBytes(path), as: UTF8.self) else {
      throw FileError("read", path, code: EILSEQ)
    }
    return text
  }

  static func readBytes(_ path: String) throws(FileError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FileError("read", path) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw FileError("read", path) }
      if count == 0 { break }
      bytes += chunk[..<count]
      guard bytes.count <= bytesMax else { throw FileError("read", path, code: EFBIG) }
    }
    return bytes
  }

  /// Writes a file that only its owner may read, as a whole or not at all, also when the machine
  /// stops in between.
  static func writePrivate(_ text: String, to path: String) throws(FileError) {
    let draft = path + ".new"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw FileError("create", draft) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        let error = FileError("write", draft)
        close(file)
        throw error
      }
      rest = rest.dropFirst(count)
    }
    let isStored = fsync(file) == 0
    guard close(file) == 0, isStored else { throw FileError("write", draft) }
    guard rename(draft, path) == 0 else { throw FileError("rename", draft) }
    // The new name is durable once its folder is.
    let folder = open(self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// Makes a folder and those above it with `mode`, whatever the umask; an existing one stays as it
  /// is.
  static func makeFolder(_ path: String, mode: mode_t = 0o755) throws(FileError) {
    if isFolder(path) { return }
    let above = folder(of: path)
    if above != path { try makeFolder(above) }
    guard mkdir(path, mode) == 0, chmod(path, mode) == 0 else {
      throw FileError("make the folder", path)
    }
  }

  /// The names in a folder; none when it cannot be read.
  static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { name in
        String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  static func isFolder(_ path: String) -> Bool {
    guard let status = status(path) else { return false }
    return status.st_mode & S_IFMT == S_IFDIR
  }

  static func exists(_ path: String) -> Bool { status(path) != nil }

  static func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  /// The folder that holds `path`: "/a" of "/a/b", "/" of "/a", "." of "a".
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// `path` from the root, without "." and ".."; what exists has its symbolic links resolved.
  static func absolute(_ path: String) throws(FileError) -> String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    guard errno == ENOENT else { throw FileError("resolve", path) }
    let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
    let name = trimmed.split(separator: "/").last ?? ""
    let above = try absolute(folder(of: trimmed))
    return above == "/" ? "/\(name)" : "\(above)/\(name)"
  }
}

/// The kernel refused a file or folder.
struct FileError: Error, Equatable, CustomStringConvertible {
  let action: String
  let path: String
  let code: Int32

  init(_ action: String, _ path: String, code: Int32 = errno) {
    self.action = action
    self.path = path
    self.code = code
  }

  var description: String { "cannot \(action) \(path): \(String(cString: strerror(code)))" }
}
