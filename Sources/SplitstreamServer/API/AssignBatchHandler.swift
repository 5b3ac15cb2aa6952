/// `POST /v1/assign/batch`: what a unit sees of up to 50 experiments.
///
/// Those in memory cost nothing; all others are decided together, in one round trip.
struct AssignBatchHandler: Handler {
  let assignments: AssignmentStore

  func answerNow(_ request: Request, for caller: Caller) throws -> Response? {
    let body = try AssignBatchBody(request)
    let named = try Self.find(body, request, caller)
    var outcomes: [AssignmentOutcome] = []
    for experiment in named.running {
      guard let assignment = assignments.known(body.unit, in: experiment) else { return nil }
      outcomes.append(.assigned(assignment))
    }
    return Self.response(body, named, outcomes)
  }

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try AssignBatchBody(request)
    let named = try Self.find(body, request, caller)
    var outcomes = named.running.map { experiment in
      assignments.known(body.unit, in: experiment).map(AssignmentOutcome.assigned)
    }
    let missing = outcomes.indices.filter { outcomes[$0] == nil }
    let context = body.context
    let decided = try await assignments.assign(
      missing.map { index in
        AssignmentWish(
          unit: body.unit, experiment: named.running[index], logsExposure: body.logsExposure,
          exclusion: named.running[index].exclusion(of: context))
      })
    for (index, outcome) in zip(missing, decided) { outcomes[index] = outcome }
    return Self.response(body, named, outcomes.compactMap(\.self))
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
