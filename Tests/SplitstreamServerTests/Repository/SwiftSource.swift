/// A Swift file as far as tests of the repository need it: its code without comments and strings,
/// and its strings.
struct SwiftSource {
  let path: String
  /// The code with comments and the text of strings left out; what is interpolated in a string
  /// stays.
  let code: String
  /// The text of every string literal, interpolations as spaces.
  let strings: [String]

  init(path: String, text: String) {
    self.path = path
    var reader = Reader(bytes: Array(text.utf8))
    reader.readCode(untilParenthesis: false)
    code = String(decoding: reader.code, as: UTF8.self)
    strings = reader.strings
  }

  /// Names of types declared outside every brace, and what makes them visible: not `private`, not
  /// `fileprivate`.
  var topLevelTypes: [String] {
    declarations(in: outermostCode, hidden: false)
  }

  /// Every name that this file declares as a type, at any depth, generic parameters included.
  var declaredNames: Set<String> {
    let generics = code.matches(
      of: /\b(?:func|init|struct|class|enum|actor|typealias)\b[^<({\n]*<([^>]*)>/
    )
    .flatMap { $0.1.split(separator: ",") }
    .compactMap { $0.firstMatch(of: /[A-Z]\w*/).map { String($0.0) } }
    return Set(declarations(in: code, hidden: true) + generics)
  }

  var imports: [String] {
    let statement =
      #/
      (?m) ^ \h* (?:(?:@\w+|public|internal|private)\h+)* import\h+
      (?:(?:struct|class|enum|protocol|typealias|func|let|var)\h+)? (\w+)
      /#
    return code.matches(of: statement).map { String($0.1) }
  }

  /// Names with a capital letter that stand by themselves: what follows a dot is a member of
  /// something else.
  var namesUsed: Set<String> {
    Set(code.matches(of: /(^|[^.\w])([A-Z]\w*)/).map { String($0.2) })
  }

  /// Statement by statement, and the expression only where a keyword stands: it is slow, and the
  /// sources are long.
  private func declarations(in code: String, hidden: Bool) -> [String] {
    let declaration =
      /^(.*)\b(?:struct|class|enum|protocol|actor|typealias|associatedtype)\s+([A-Z]\w*)/
    let keywords = [
      "struct ", "class ", "enum ", "protocol ", "actor ", "typealias ", "associatedtype ",
    ]
    .map { Array($0.utf8) }
    return code.utf8.split { Self.statementEnds.contains($0) }
      .filter { statement in keywords.contains { statement.contains($0) } }
      .compactMap { String(Substring($0)).firstMatch(of: declaration) }
      .filter { hidden || !$0.1.contains("private") }
      .map { String($0.2) }
  }

  private static let statementEnds = Set("\n;{}".utf8)

  private var outermostCode: String {
    var depth = 0
    var bytes: [UInt8] = []
    for byte in code.utf8 {
      if byte == UInt8(ascii: "}") { depth -= 1 }
      if depth == 0 || byte == UInt8(ascii: "\n") { bytes.append(byte) }
      if byte == UInt8(ascii: "{") { depth += 1 }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension SwiftSource {
  /// Walks through a file and sorts its bytes into code, comments and strings.
  private struct Reader {
    let bytes: [UInt8]
    var position = 0
    var code: [UInt8] = []
    var strings: [String] = []

    init(bytes: [UInt8]) {
      self.bytes = bytes
    }

    mutating func readCode(untilParenthesis: Bool) {
      var depth = 0
      while position < bytes.count {
        if starts("//") {
          while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        } else if starts("/*") {
          skipBlockComment()
        } else if let pounds = poundsBeforeQuote() {
          readString(pounds: pounds)
        } else {
          if bytes[position] == UInt8(ascii: "(") { depth += 1 }
          if bytes[position] == UInt8(ascii: ")") { depth -= 1 }
          if untilParenthesis, depth < 0 { return }
          code.append(bytes[position])
          position += 1
        }
      }
    }

    private mutating func skipBlockComment() {
      var depth = 0
      repeat {
        if starts("/*") {
          depth += 1
          position += 2
        } else if starts("*/") {
          depth -= 1
          position += 2
        } else {
          if bytes[position] == UInt8(ascii: "\n") { code.append(UInt8(ascii: "\n")) }
          position += 1
        }
      } while depth > 0 && position < bytes.count
      code.append(UInt8(ascii: " "))
    }

    /// How many "#" stand before a quote that opens a string here; nil when none does.
    private func poundsBeforeQuote() -> Int? {
      var pounds = 0
      while position + pounds < bytes.count, bytes[position + pounds] == UInt8(ascii: "#") {
        pounds += 1
      }
      let isString =
        position + pounds < bytes.count && bytes[position + pounds] == UInt8(ascii: "\"")
      return isString ? pounds : nil
    }

    private mutating func readString(pounds: Int) {
      let marks = String(repeating: "#", count: pounds)
      position += pounds
      let quote = starts("\"\"\"") ? "\"\"\"" : "\""
      position += quote.utf8.count
      var text: [UInt8] = []
      code += Array("\"\"".utf8)
      while position < bytes.count, !starts(quote + marks) {
        if starts("\\" + marks + "(") {
          position += pounds + 2
          code.append(UInt8(ascii: " "))
          readCode(untilParenthesis: true)
          position += 1
          code.append(UInt8(ascii: " "))
          text.append(UInt8(ascii: " "))
        } else if starts("\\" + marks) {
          text += bytes[position..<min(position + pounds + 2, bytes.count)]
          position += pounds + 2
        } else {
          text.append(bytes[position])
          position += 1
        }
      }
      position += quote.utf8.count + pounds
      strings.append(String(decoding: text, as: UTF8.self))
    }

    private func starts(_ text: String) -> Bool {
      bytes[min(position, bytes.count)...].starts(with: text.utf8)
    }
  }
}
