/// A request method, RFC 9110 §9. Methods are case-sensitive.
enum HTTPMethod: Equatable, Sendable {
  case get, head, post, put, patch, delete, options, connect
  /// No operation has it.
  case other

  /// The method spelled by a token's bytes.
  init(token bytes: borrowing [UInt8], _ range: Range<Int>) {
    // A word of eight bytes holds every known method.
    var word: UInt64 = 0
    if range.count < 8 {
      for index in range { word = word << 8 | UInt64(bytes[index]) }
    }
    switch word {
    case 0x47_4554: self = .get
    case 0x4845_4144: self = .head
    case 0x504f_5354: self = .post
    case 0x50_5554: self = .put
    case 0x50_4154_4348: self = .patch
    case 0x4445_4c45_5445: self = .delete
    case 0x4f_5054_494f_4e53: self = .options
    case 0x43_4f4e_4e45_4354: self = .connect
    default: self = .other
    }
  }

  var name: String {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .patch: "PATCH"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    case .connect: "CONNECT"
    case .other: "another"
    }
  }
}
