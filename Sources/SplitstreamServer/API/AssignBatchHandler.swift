/// `POST /v1/assign/batch`: what a unit sees of up to 50 experiments.
///
/// Those in memory cost nothing; all others are decided together, in one round trip.
final class AssignBatchHandler: PromptHandler {
  private let assignments: AssignmentStore

  init(assignments: AssignmentStore) {
    self.assignments = assignments
  }

  func answer(_ request: Request, for caller: Caller) throws -> Answer<Response, any Error> {
    let body = try AssignBatchBody(request)
    let named = try Self.find(body, request, caller)
    let known = named.running.map { experiment in
      assignments.known(body.unit, in: experiment).map(AssignmentOutcome.assigned)
    }
    let missing = known.indices.filter { known[$0] == nil }
    if missing.isEmpty {
      return .now(Self.response(body, named, known.compactMap(\.self)))
    }
    let context = body.context
    let wishes = missing.map { index in
      AssignmentWish(
        unit: body.unit, experiment: named.running[index], logsExposure: body.logsExposure,
        exclusion: named.running[index].exclusion(of: context))
    }
    return .later { [self] finish in
      assignments.assign(wishes) { result in
        finish(
          Result {
            var outcomes = known
            for (index, outcome) in zip(missing, try result.get()) { outcomes[index] = outcome }
            return Self.response(body, named, outcomes.compactMap(\.self))
          })
      }
    }
  }

  private struct Named {
    var running: [RunningExperiment] = []
    var unknown: [ExperimentKey] = []
  }

  private static func find(_ body: AssignBatchBody, _ request: Request, _ caller: Caller)
    throws(APIError) -> Named
  {
    var named = Named()
    for key in body.experiments {
      do throws(APIError) {
        named.running.append(try caller.running(key, request))
      } catch .notRunning {
        named.unknown.append(key)
      } catch {
        throw error
      }
    }
    return named
  }

  private static func response(
    _ body: AssignBatchBody, _ named: Named, _ outcomes: [AssignmentOutcome]
  ) -> Response {
    var json = JSONWriter(bytesReserved: 320 * (outcomes.count + 1))
    json.object { json in
      json.member("assignments") { json in
        json.object { json in
          for (experiment, outcome) in zip(named.running, outcomes) {
            json.key(experiment.key.text)
            AssignmentJSON.write(outcome, of: body.unit, in: experiment, to: &json)
          }
        }
      }
      json.member("errors", array: named.unknown) { json, key in
        json.object { json in
          json.member("experiment_key", key.text)
          json.member("detail", "There is no such running experiment.")
        }
      }
    }
    return .json(json.bytes)
  }
}
