/// openapi.json as a page to be read: operations by tag, then the shapes they speak of. It loads
/// nothing.
struct ReferencePage {
  private let document: JSONValue
  private(set) var html = ""

  init(_ document: JSONValue) {
    self.document = document
    let title = document["info"]?["title"]?.string ?? "API"
    html = """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(Self.escaped(title))</title><style>\(Self.style)</style></head><body>
      <h1>\(Self.escaped(title)) \(Self.escaped(document["info"]?["version"]?.string ?? ""))</h1>

      """
    paragraphs(document["info"]?["description"]?.string)
    html += "<p>The same for programs: <a href=\"/openapi.json\">openapi.json</a>.</p>\n"
    for tag in document["tags"].map({ Array($0.elements) }) ?? [] { section(tag) }
    html += "<h2 id=\"shapes\">Shapes</h2>\n"
    for (name, schema) in document["components"]?["schemas"].map({ Array($0.members) }) ?? [] {
      html += "<h3 id=\"\(Self.escaped(name))\">\(Self.escaped(name))</h3>\n"
      paragraphs(schema["description"]?.string)
      shape(schema)
      for example in schema["examples"].map({ Array($0.elements) }) ?? [] {
        let text = String(decoding: example.source, as: UTF8.self)
        html += "<pre>\(Self.escaped(text))</pre>\n"
      }
    }
    html += "</body></html>\n"
  }

  // MARK: Operations

  private mutating func section(_ tag: JSONValue) {
    guard let name = tag["name"]?.string else { return }
    html += "<h2>\(Self.escaped(name))</h2>\n"
    paragraphs(tag["description"]?.string)
    for (path, item) in document["paths"].map({ Array($0.members) }) ?? [] {
      let shared = item["parameters"].map { Array($0.elements) } ?? []
      for (method, operation) in item.members
      where operation["tags"]?.elements.contains(where: { $0.string == name }) == true {
        self.operation(method, path, operation, shared)
      }
    }
  }

  private mutating func operation(
    _ method: String, _ path: String, _ operation: JSONValue, _ shared: [JSONValue]
  ) {
    let id = Self.escaped(operation["operationId"]?.string ?? "")
    html += "<section id=\"\(id)\"><h3><code>\(method.uppercased()) \(Self.escaped(path))</code> "
    html += "\(Self.escaped(operation["summary"]?.string ?? ""))</h3>\n"
    paragraphs(operation["description"]?.string)
    let parameters = shared + (operation["parameters"].map { Array($0.elements) } ?? [])
    if !parameters.isEmpty {
      table(
        parameters.map(resolved).map { parameter in
          let isRequired = parameter["required"]?.bool == true
          return (
            "<code>\(Self.escaped(parameter["name"]?.string ?? ""))</code>",
            Self.escaped(parameter["in"]?.string ?? "") + (isRequired ? ", required" : ""),
            facts(parameter["schema"]) + " " + Self.text(parameter["description"]?.string)
          )
        })
    }
    for (type, content) in operation["requestBody"]?["content"].map({ Array($0.members) }) ?? [] {
      html += "<p>Body, <code>\(Self.escaped(type))</code>: \(facts(content["schema"]))</p>\n"
    }
    table(
      (operation["responses"].map { Array($0.members) } ?? []).map { status, response in
        let response = resolved(response)
        let bodies = (response["content"].map { Array($0.members) } ?? []).map { type, content in
          "<code>\(Self.escaped(type))</code> \(facts(content["schema"]))"
        }
        return (
          "<code>\(Self.escaped(status))</code>", Self.text(response["description"]?.string),
          bodies.joined(separator: "<br>")
        )
      })
    html += "</section>\n"
  }

  // MARK: Shapes

  private mutating func shape(_ schema: JSONValue) {
    for part in schema["allOf"].map({ Array($0.elements) }) ?? [] {
      if part["$ref"] != nil { html += "<p>All of \(facts(part)), and:</p>\n" } else { shape(part) }
    }
    let required = Set(schema["required"].map { $0.elements.compactMap(\.string) } ?? [])
    let members = schema["properties"].map { Array($0.members) } ?? []
    if members.isEmpty { return }
    table(
      members.map { name, member in
        (
          "<code>\(Self.escaped(name))</code>", required.contains(name) ? "always" : "",
          facts(member) + " " + Self.text(member["description"]?.string)
        )
      })
  }

  /// What a schema says in one line: its type, its limits, its default.
  private func facts(_ schema: JSONValue?) -> String {
    guard let schema else { return "" }
    if let name = schema["$ref"]?.string?.split(separator: "/").last.map(String.init) {
      return "<a href=\"#\(Self.escaped(name))\">\(Self.escaped(name))</a>"
    }
    var parts: [String] = []
    if let type = schema["type"] {
      let names = type.string.map { [$0] } ?? type.elements.compactMap(\.string)
      parts.append(Self.escaped(names.joined(separator: " or ")))
    }
    if let items = schema["items"] { parts.append("of \(facts(items))") }
    for choice in schema["oneOf"].map({ Array($0.elements) }) ?? [] { parts.append(facts(choice)) }
    for keyword in Self.limits {
      guard let value = schema[member: keyword] else { continue }
      let text = String(decoding: value.source, as: UTF8.self)
      parts.append("\(keyword) <code>\(Self.escaped(text))</code>")
    }
    return parts.joined(separator: ", ")
  }

  private static let limits = [
    "enum", "const", "format", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "default",
  ]

  private func resolved(_ value: JSONValue) -> JSONValue {
    guard let reference = value["$ref"]?.string, reference.hasPrefix("#/") else { return value }
    return reference.dropFirst(2).split(separator: "/").reduce(document) { found, name in
      found?[member: String(name)]
    } ?? value
  }

  // MARK: HTML

  private mutating func table(_ rows: [(String, String, String)]) {
    html += "<table>\n"
    for row in rows { html += "<tr><td>\(row.0)</td><td>\(row.1)</td><td>\(row.2)</td></tr>\n" }
    html += "</table>\n"
  }

  private mutating func paragraphs(_ text: String?) {
    for line in text?.split(separator: "\n") ?? [] { html += "<p>\(Self.text(String(line)))</p>\n" }
  }

  /// A sentence with its `code`.
  private static func text(_ text: String?) -> String {
    let parts = (text ?? "").split(separator: "`", omittingEmptySubsequences: false)
    return parts.enumerated().map { index, part in
      index % 2 == 0 ? escaped(String(part)) : "<code>\(escaped(String(part)))</code>"
    }.joined()
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }

  private static let style = """
    body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
    h2{margin-top:3rem;border-bottom:1px solid}table{border-collapse:collapse;width:100%}
    td{padding:.3rem .6rem .3rem 0;vertical-align:top;border-top:1px solid #8884}
    code,pre{font-size:.9em;overflow-wrap:anywhere}pre{white-space:pre-wrap;padding:1rem;background:#8882}
    @media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}
    """
}
