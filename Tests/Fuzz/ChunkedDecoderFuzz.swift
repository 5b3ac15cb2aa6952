/// A chunked body ends at the same byte and has the same content, however it is cut.
@c(LLVMFuzzerTestOneInput)
public func fuzzChunkedDecoder(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let bytes = fuzzInput(data, size)
  let whole = decode(bytes, cuts: [])
  for position in fuzzCuts(of: bytes) {
    precondition(decode(bytes, cuts: [position]) == whole, "cut at \(position)")
  }
  precondition(decode(bytes, cuts: Array(bytes.indices)) == whole, "byte by byte")
  if whole.isComplete {
    let again = decode(encode(whole.body), cuts: [])
    precondition(again.isComplete && again.body == whole.body, "encoded and decoded again")
  }
  return 0
}

private struct Decoded: Equatable {
  var body: [UInt8] = []
  var consumed = 0
  var isComplete = false
  var error: HTTPError?
}

private let bodyBytesMax = 96

private func decode(_ bytes: [UInt8], cuts: [Int]) -> Decoded {
  var decoder = ChunkedDecoder(
    bodyBytesMax: bodyBytesMax, trailerLimits: RequestLimits(headBytesMax: 64, fieldCountMax: 3))
  var decoded = Decoded()
  do throws(HTTPError) {
    for end in cuts + [bytes.count] {
      decoded.consumed += try decoder.decode(
        bytes, decoded.consumed..<max(decoded.consumed, end), into: &decoded.body)
    }
  } catch {
    // How much was read before a refusal is nobody's affair.
    return Decoded(error: error)
  }
  decoded.isComplete = decoder.isComplete
  precondition(decoded.body.count <= bodyBytesMax, "a body beyond its limit")
  precondition(decoded.isComplete || decoded.consumed == bytes.count, "stopped before the end")
  return decoded
}

private func encode(_ body: [UInt8]) -> [UInt8] {
  let chunk = body.isEmpty ? [] : [UInt8]("\(String(body.count, radix: 16))\r\n".utf8) + body
  return chunk + (chunk.isEmpty ? [] : [13, 10]) + [UInt8]("0\r\n\r\n".utf8)
}
