import COpenSSL
import Glibc

/// How OpenSSL reaches a socket: its own way writes without MSG_NOSIGNAL, so that a dead peer would
/// be a signal to the process.
enum TLSSocket {
  /// - Returns: nil when memory is out. Owned by the caller, who does not give up the descriptor.
  static func open(_ fd: Int32) -> OpaquePointer? {
    guard let method, let bio = BIO_new(method.pointer) else { return nil }
    BIO_set_data(bio, UnsafeMutableRawPointer(bitPattern: Int(fd)))
    BIO_set_init(bio, 1)
    return bio
  }

  /// `@unchecked Sendable`: written once, when it is made; OpenSSL only reads it.
  private struct Method: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private static let method: Method? = {
    guard let pointer = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "splitstream")
    else { return nil }
    BIO_meth_set_read(pointer, receive)
    BIO_meth_set_write(pointer, send)
    BIO_meth_set_ctrl(pointer, control)
    return Method(pointer: pointer)
  }()

  private static func descriptor(_ bio: OpaquePointer?) -> Int32 {
    Int32(truncatingIfNeeded: Int(bitPattern: BIO_get_data(bio)))
  }

  private static let receive:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int32) -> Int32 = {
      bio, bytes, count in
      splitstream_bio_clear_retry(bio)
      let received = recv(descriptor(bio), bytes, Int(count), 0)
      if received == 0 { BIO_set_flags(bio, BIO_FLAGS_IN_EOF) }
      if received < 0, errno == EAGAIN || errno == EINTR { splitstream_bio_retry_read(bio) }
      return Int32(received)
    }

  private static let send: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 =
    { bio, bytes, count in
      splitstream_bio_clear_retry(bio)
      let sent = Glibc.send(descriptor(bio), bytes, Int(count), Int32(MSG_NOSIGNAL))
      if sent < 0, errno == EAGAIN || errno == EINTR { splitstream_bio_retry_write(bio) }
      return Int32(sent)
    }

  private static let control:
    @convention(c) (OpaquePointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int = {
      bio, command, _, _ in
      switch command {
      case BIO_CTRL_EOF: Int(BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0)
      // Nothing is held back.
      case BIO_CTRL_FLUSH: 1
      default: 0
      }
    }
}
