/// `POST /v1/calculators/…`: answered from the body alone.
struct CalculatorHandler: Handler {
  let calculator: Calculator

  func answerNow(_ request: Request, for caller: Caller) throws -> Response? {
    .json(try calculator.answer(BodyReader(request)))
  }

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .json(try calculator.answer(BodyReader(request)))
  }
}
