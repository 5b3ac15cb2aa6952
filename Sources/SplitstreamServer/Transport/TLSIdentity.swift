import Synchronization

/// The certificate that new connections are shown. Swapped as a whole while others go on with the
/// one they began with. For all loops of a process.
final class TLSIdentity: Sendable {
  let certificateFile: String
  let keyFile: String
  private let current: Mutex<TLSContext>

  init(certificateFile: String, keyFile: String) throws(TLSError) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    current = Mutex(try TLSContext(certificateFile: certificateFile, keyFile: keyFile))
  }

  var context: TLSContext { current.withLock { $0 } }

  /// Reads both files again. When they cannot be used, the certificate of before stays.
  func reload() throws(TLSError) {
    let next = try TLSContext(certificateFile: certificateFile, keyFile: keyFile)
    current.withLock { $0 = next }
  }
}
