import COpenSSL
import Glibc

/// TLS with one client. Belongs to its connection's loop.
///
/// The unsafe part is the pointer to OpenSSL's session, which nobody else has and which goes with
/// this object.
final class TLSSession {
  /// What the loop must wait for before a read, or a write, can go on.
  private(set) var readWaitsFor = Readiness.read
  private(set) var writeWaitsFor = Readiness.write

  private let session: OpaquePointer
  private var isEstablished = false
  /// After a fatal error OpenSSL must not be called for this session any more.
  private var isBroken = false
  private var isCloseNotified = false
  /// An end or a fault met behind bytes that were handed out first.
  private var heldOutcome: ByteStream.Outcome?

  /// Longest stay in one call, so that one fast client does not hold up the others.
  private static let bytesPerCallMax = 256 * 1024

  /// What the handshake came to.
  enum Handshake: Equatable {
    case done
    case blocked
    /// Refused; the client has been told why if it speaks TLS at all.
    case failed
    /// The client speaks HTTP without TLS.
    case plainHTTP
  }

  init(_ context: TLSContext, fd: Int32) throws(TLSError) {
    ERR_clear_error()
    guard let session = SSL_new(context.pointer) else { throw TLSError(doing: "start a session") }
    guard let socket = TLSSocket.open(fd) else {
      SSL_free(session)
      throw TLSError(doing: "start a session")
    }
    // One reference is enough for both directions, and the session owns it.
    SSL_set_bio(session, socket, socket)
    SSL_set_accept_state(session)
    self.session = session
  }

  deinit {
    SSL_free(session)
  }

  /// Goes on with the handshake as far as the client's bytes allow.
  func shakeHands() -> Handshake {
    guard !isBroken else { return .failed }
    ERR_clear_error()
    let code = SSL_do_handshake(session)
    guard code != 1 else {
      isEstablished = true
      readWaitsFor = .read
      writeWaitsFor = .write
      return .done
    }
    switch SSL_get_error(session, code) {
    case SSL_ERROR_WANT_READ: readWaitsFor = .read
    case SSL_ERROR_WANT_WRITE: readWaitsFor = .write
    default:
      isBroken = true
      return TLSError.lastReason == SSL_R_HTTP_REQUEST ? .plainHTTP : .failed
    }
    return .blocked
  }

  /// Whether there is something to read that the socket no longer shows: bytes in OpenSSL,
  /// decrypted or not, or the end behind them.
  var hasBufferedInput: Bool { heldOutcome != nil || !isBroken && SSL_has_pending(session) == 1 }

  func receive(into room: UnsafeMutableRawBufferPointer) -> ByteStream.Outcome {
    if let heldOutcome {
      self.heldOutcome = nil
      return heldOutcome
    }
    guard !isBroken else { return .failed }
    var received = 0
    let bytesMax = min(room.count, Self.bytesPerCallMax)
    repeat {
      ERR_clear_error()
      let code = SSL_read(
        session, room.baseAddress?.advanced(by: received), Int32(bytesMax - received))
      guard code > 0 else {
        let outcome = outcome(code, \.readWaitsFor, usual: .read)
        if received == 0 { return outcome }
        if outcome != .blocked { heldOutcome = outcome }
        return .bytes(received)
      }
      received += Int(code)
      // A record holds 16 KiB at most; what came with it is read now.
    } while received < bytesMax && hasBufferedInput
    readWaitsFor = .read
    return .bytes(received)
  }

  func send(_ bytes: UnsafeRawBufferPointer) -> ByteStream.Outcome {
    guard !isBroken else { return .failed }
    var sent = 0
    let bytesMax = min(bytes.count, Self.bytesPerCallMax)
    while sent < bytesMax {
      ERR_clear_error()
      let code = SSL_write(
        session, bytes.baseAddress?.advanced(by: sent), Int32(bytes.count - sent))
      guard code > 0 else {
        let outcome = outcome(code, \.writeWaitsFor, usual: .write)
        return sent > 0 ? .bytes(sent) : outcome
      }
      sent += Int(code)
    }
    writeWaitsFor = .write
    return .bytes(sent)
  }

  /// RFC 8446 §6.1: tells the client that the end is no truncation. The client's own notice is not
  /// waited for.
  func notifyClose() -> ByteStream.Outcome {
    guard isEstablished, !isBroken, !isCloseNotified else { return .end }
    ERR_clear_error()
    let code = SSL_shutdown(session)
    if code < 0, outcome(code, \.writeWaitsFor, usual: .write) == .blocked { return .blocked }
    isCloseNotified = true
    return .end
  }

  private func outcome(
    _ code: Int32, _ waitsFor: ReferenceWritableKeyPath<TLSSession, Readiness>, usual: Readiness
  ) -> ByteStream.Outcome {
    self[keyPath: waitsFor] = usual
    switch SSL_get_error(session, code) {
    case SSL_ERROR_WANT_READ:
      self[keyPath: waitsFor] = .read
      return .blocked
    case SSL_ERROR_WANT_WRITE:
      self[keyPath: waitsFor] = .write
      return .blocked
    case SSL_ERROR_ZERO_RETURN: return .end
    default:
      isBroken = true
      return .failed
    }
  }
}
