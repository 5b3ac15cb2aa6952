import Glibc

/// The operating system's user that private servers run as when we are root, whom PostgreSQL
/// refuses.
struct ServiceUser: Equatable, Sendable {
  let name: String
  let uid: uid_t
  let gid: gid_t

  /// - Returns: nil when we are an ordinary user, who needs no other.
  static func forServers() throws(PrivateServerError) -> ServiceUser? {
    guard geteuid() == 0 else { return nil }
    // Debian's package postgresql-common makes it.
    guard let user = ServiceUser(named: "postgres") else {
      throw .missing("the user \"postgres\"", package: "postgresql")
    }
    return user
  }

  init?(named name: String) {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else {
      return nil
    }
    self.name = name
    uid = entry.pw_uid
    gid = entry.pw_gid
  }

  /// Whether this user may pass through `folder` and all above it: asked of the kernel, which knows
  /// of ACLs too.
  func canTraverse(_ folder: String) throws(ChildProcessError) -> Bool {
    let test = try ChildProcess(["test", "-x", folder], as: self, output: "/dev/null")
    return test.wait(seconds: 10) == .exited(0)
  }

  func own(_ path: String) throws(FileError) {
    guard lchown(path, uid, gid) == 0 else { throw FileError("change the owner of", path) }
  }
}
