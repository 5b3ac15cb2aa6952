/// Why a text is not a JSON document that we accept, and where.
struct JSONError: Error, Equatable {
  let reason: Reason
  /// Bytes from the start of the text to the fault.
  let offset: Int
  /// RFC 6901 pointer to the innermost value or member that was being read; empty for the whole
  /// document.
  let pointer: String

  enum Reason: Equatable {
    case byteOrderMark
    case unexpectedEnd
    case expected(String)
    case controlCharacterInString
    case invalidEscape
    case invalidUTF8
    case loneSurrogate
    case nulCharacter
    case invalidNumber
    case duplicateMember(String)
    case tooDeep(depthMax: Int)
    case tooLarge(bytesMax: Int)
  }
}

extension JSONError: CustomStringConvertible {
  /// The fault as one phrase without its place, for the `detail` of an answer.
  var message: String {
    switch reason {
    case .byteOrderMark: "the text begins with a byte order mark"
    case .unexpectedEnd: "the text ends before the document does"
    case .expected(let what): "expected \(what)"
    case .controlCharacterInString: "a control character in a string must be escaped"
    case .invalidEscape: "an invalid escape sequence"
    case .invalidUTF8: "the text is not valid UTF-8"
    case .loneSurrogate: "a lone surrogate is not a character"
    case .nulCharacter: "\\u0000 is not accepted"
    case .invalidNumber: "an invalid number"
    case .duplicateMember(let name): "the member \"\(name)\" appears twice"
    case .tooDeep(let depthMax): "nested deeper than \(depthMax) levels"
    case .tooLarge(let bytesMax): "longer than \(bytesMax) bytes"
    }
  }

  var description: String { "\(message) (byte \(offset))" }
}
