import Glibc

/// Where `dev` keeps everything: the stores' data and logs, the pepper, the keys. Held by one
/// process at a time.
///
/// A class for its identity: it holds the lock until it is gone.
final class DataFolder: Sendable {
  /// Absolute, without symbolic links.
  let path: String
  /// Who the stores run as; nil for ourselves.
  let user: ServiceUser?
  /// The folder of the sockets; outside of `path` when that is too long for a socket's name.
  let sockets: String
  private let lock: Int32

  /// Where the data goes when PostgreSQL's user may not enter the folder that was asked for.
  static let fallback = "/var/lib/splitstream"

  /// Opens the folder, makes what is missing of it, and locks it.
  ///
  /// - Parameters:
  ///   - requested: the path that the user gave, or the default.
  /// - fallback: taken when the stores' user may not enter `requested`, which then leads there; nil
  /// for an error.
  init(_ requested: String, fallback: String? = DataFolder.fallback) throws {
    user = try ServiceUser.forServers()
    path = try Self.place(requested, fallback, user)
    sockets = Self.socketFolder(for: path)
    lock = try Self.locked(path)
    try makePrivate(sockets)
    try makePrivate(redisData)
  }

  deinit {
    close(lock)
  }

  var postgresData: String { path + "/postgres" }
  var postgresLog: String { path + "/postgres.log" }
  var redisData: String { path + "/redis" }
  var redisLog: String { path + "/redis.log" }
  var redisSocket: String { sockets + "/redis.sock" }
  /// Written for shells and programs: where the server is and its keys.
  var environmentFile: String { path + "/dev.env" }

  /// `sockets` as it stands in a URL.
  var escapedSockets: String {
    sockets.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        return String(UnicodeScalar(byte))
      // RFC 3986 §2.3, and the slash, which a path and a query may hold.
      case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"),
        UInt8(ascii: "/"):
        return String(UnicodeScalar(byte))
      default: return (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }

  /// The pepper of this folder, made at the first call.
  func pepper() throws -> Pepper {
    let file = path + "/pepper"
    if !Files.exists(file) { try Files.writePrivate(Pepper.random() + "\n", to: file) }
    return try Pepper(String(try Files.read(file).prefix { $0 != "\n" }))
  }

  /// A folder that only the stores' user may enter. One that is there must be ours: in /tmp it need
  /// not be.
  func makePrivate(_ folder: String) throws {
    if mkdir(folder, 0o700) != 0 && errno != EEXIST { throw FileError("make the folder", folder) }
    var status = stat()
    guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      status.st_uid == geteuid() || status.st_uid == user?.uid
    else { throw PrivateServerError.notOurs(folder: folder) }
    try user?.own(folder)
    guard chmod(folder, 0o700) == 0 else { throw FileError("change the mode of", folder) }
  }

  private static func place(_ requested: String, _ fallback: String?, _ user: ServiceUser?) throws
    -> String
  {
    let path = try Files.absolute(requested)
    var existing = path
    while !Files.isFolder(existing) && existing != "/" { existing = Files.folder(of: existing) }
    if let user, try !user.canTraverse(existing) {
      guard let fallback else {
        throw PrivateServerError.cannotTraverse(folder: existing, user: user.name)
      }
      try Files.makeFolder(fallback)
      try lead(from: path, to: fallback)
      return fallback
    }
    try Files.makeFolder(path)
    return path
  }

  /// What the user looks for in the folder that was asked for is found there all the same.
  private static func lead(from path: String, to place: String) throws(FileError) {
    var (link, target) = (path, place)
    if Files.isFolder(path) {
      (link, target) = (path + "/dev.env", place + "/dev.env")
      unlink(link)
    } else {
      try Files.makeFolder(Files.folder(of: path))
    }
    guard symlink(target, link) == 0 else { throw FileError("make the link", link) }
  }

  private static func socketFolder(for path: String) -> String {
    let folder = path + "/run"
    // unix(7): 108 bytes for the name and its end. PostgreSQL's is the longest of ours.
    if (folder + "/.s.PGSQL.5432").utf8.count < 108 { return folder }
    let name = BLAKE2b.hash128(path.utf8).hex.prefix(12)
    return (geteuid() == 0 ? "/run" : "/tmp") + "/splitstream-\(name)"
  }

  /// The lock ends with the process, however it ends: there is nothing to clean up after a kill.
  private static func locked(_ path: String) throws -> Int32 {
    let name = path + "/lock"
    let file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw FileError("open", name) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      close(file)
      let holder = (try? Files.read(name))?.split(separator: "\n").first.map(String.init)
      throw PrivateServerError.inUse(folder: path, pid: holder ?? "?")
    }
    let pid = Array("\(getpid())\n".utf8)
    ftruncate(file, 0)
    _ = pwrite(file, pid, pid.count, 0)
    return file
  }
}
