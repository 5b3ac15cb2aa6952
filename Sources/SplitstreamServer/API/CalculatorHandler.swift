/// `POST /v1/calculators/…`: answered from the body alone.
struct CalculatorHandler: Handler {
  let calculator: Calculator

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .json(try calculator.answer(BodyReader(request)))
  }
}
