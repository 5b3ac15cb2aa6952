import ArgumentParser

/// `splitstream-server calculate`: the API's calculators without a server.
struct CalculateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calculate",
    abstract: "Plan an experiment or test its counts: sample size, power, duration, significance.",
    discussion: """
      The question and the answer are the JSON of POST /v1/calculators/…, see /docs.

      Example: splitstream-server calculate sample-size \\
                 '{"baseline": 0.1, "minimum_detectable_effect": 0.05}'
      Example: splitstream-server calculate significance \\
                 '{"control": {"units": 1000, "conversions": 100},
                   "treatments": [{"units": 1000, "conversions": 130}]}'
      """)

  @Argument(help: "sample-size, power, mde, duration, srm or significance.")
  var calculator: Calculator

  @Argument(help: "The question as JSON.")
  var question: String

  func run() throws {
    do {
      let question = try JSONValue(parsing: [UInt8](question.utf8))
      let answer = try calculator.answer(BodyReader(question, at: ""))
      print(String(decoding: answer, as: UTF8.self))
    } catch APIError.validation(let problems) {
      throw ValidationError(
        problems.map { "\($0.pointer): \($0.detail)" }.joined(separator: "\n"))
    } catch let error as JSONError {
      throw ValidationError("the question is no JSON: \(error)")
    }
  }
}

extension Calculator: ExpressibleByArgument {}
