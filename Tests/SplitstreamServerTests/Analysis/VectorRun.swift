import Foundation

/// A file of vectors, run.
struct VectorRun {
  struct Vector: Decodable {
    let id: String
    let fn: String
    let input: VectorAnswer
    let expected: VectorAnswer
    let tolerance: VectorTolerance
  }
  private struct File: Decodable { let vectors: [Vector] }

  let count: Int
  private(set) var right = 0
  /// What is wrong, a line per wrong vector.
  private(set) var wrong: [String] = []
  /// Vectors of kinds that no function here answers, by kind.
  private(set) var unknown: [String: Int] = [:]

  init(_ url: URL) throws {
    let vectors = try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).vectors
    count = vectors.count
    for vector in vectors {
      guard let function = VectorFunctions.all[vector.fn] else {
        unknown[vector.fn, default: 0] += 1
        continue
      }
      let differences = Self.differences(vector, function)
      if differences.isEmpty {
        right += 1
      } else {
        wrong.append("\(vector.id) (\(vector.fn)): \(differences.joined(separator: "; "))")
      }
    }
  }

  static func fixture(_ name: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/\(name)")
  }

  /// What is wrong with our answer to one vector.
  static func differences(_ vector: Vector, _ function: VectorFunctions.Function) -> [String] {
    do {
      let input = try VectorInput(vector.input)
      let answer = try function(input)
      return answer.differences(from: vector.expected, vector.tolerance)
        + input.ignored.map { "\($0): ignored" }
    } catch {
      return ["\(error)"]
    }
  }
}
