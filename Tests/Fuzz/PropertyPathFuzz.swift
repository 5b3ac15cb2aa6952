/// A path means the same member names when they are written out in brackets and quotes.
@c(LLVMFuzzerTestOneInput)
public func fuzzPropertyPath(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let path = PropertyPath(String(decoding: fuzzInput(data, size), as: UTF8.self)) else {
    return 0
  }
  precondition(!path.keys.isEmpty, "a path without a name")
  for quote in ["'", "\""] as [Unicode.Scalar] {
    var text = "$"
    for key in path.keys {
      text += "["
      text.unicodeScalars.append(quote)
      for scalar in key.unicodeScalars {
        if scalar == quote || scalar == "\\" { text += "\\" }
        text.unicodeScalars.append(scalar)
      }
      text.unicodeScalars.append(quote)
      text += "]"
    }
    let again = PropertyPath(text)
    precondition(
      again?.keys.map { Array($0.utf8) } == path.keys.map { Array($0.utf8) }, "\(path) as \(text)")
  }
  return 0
}
