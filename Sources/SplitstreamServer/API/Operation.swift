/// Every operation of the API, named by its operationId: the one map of paths.
enum Operation: String, CaseIterable, Sendable {
  case healthz, readyz
  case getCurrentWorkspace
  case listEnvironments, createEnvironment, getEnvironment, updateEnvironment, deleteEnvironment
  case listMetrics, createMetric, getMetric, updateMetric, deleteMetric
  case listSegments, createSegment, getSegment, updateSegment, deleteSegment
  case listExperiments, createExperiment, getExperiment, updateExperiment, archiveExperiment
  case startExperiment, stopExperiment
  case computeSnapshot, getResults, getResultsHistory
  case pauseExperiment, resumeExperiment
  case listAssignments, putOverride, deleteOverride
  case listMutexGroups, createMutexGroup, getMutexGroup, updateMutexGroup, deleteMutexGroup
  case assign, assignBatch, previewAssignment
  case getAssignmentsForUnit, forceRebucket
  case eraseUnit
  case logExposure, logExposureBatch
  case trackEvent, trackEventBatch
  case calculateSampleSize, calculatePower, calculateEffect, calculateDuration
  case calculateSampleRatio, calculateSignificance
  case listApiKeys, createApiKey, revokeApiKey, rotateApiKey
  case listAudit
  case getDescription, getReference

  var operationID: String { rawValue }
  var method: HTTPMethod { route.method }
  var path: String { route.path }
  var access: Access { route.access }

  /// Who may call an operation.
  enum Access: Sendable {
    /// Anybody, without a key.
    case open
    /// Any key: what SDKs call, also from a browser.
    case sdk
    /// Server keys only.
    case server
  }

  private var route: (method: HTTPMethod, path: String, access: Access) {
    switch self {
    case .healthz: (.get, "/v1/healthz", .open)
    case .readyz: (.get, "/v1/readyz", .open)
    case .getCurrentWorkspace: (.get, "/v1/workspaces/current", .server)
    case .listEnvironments: (.get, "/v1/environments", .server)
    case .createEnvironment: (.post, "/v1/environments", .server)
    case .getEnvironment: (.get, "/v1/environments/{id}", .server)
    case .updateEnvironment: (.patch, "/v1/environments/{id}", .server)
    case .deleteEnvironment: (.delete, "/v1/environments/{id}", .server)
    case .listMetrics: (.get, "/v1/metrics", .server)
    case .createMetric: (.post, "/v1/metrics", .server)
    case .getMetric: (.get, "/v1/metrics/{id}", .server)
    case .updateMetric: (.patch, "/v1/metrics/{id}", .server)
    case .deleteMetric: (.delete, "/v1/metrics/{id}", .server)
    case .listSegments: (.get, "/v1/segments", .server)
    case .createSegment: (.post, "/v1/segments", .server)
    case .getSegment: (.get, "/v1/segments/{id}", .server)
    case .updateSegment: (.patch, "/v1/segments/{id}", .server)
    case .deleteSegment: (.delete, "/v1/segments/{id}", .server)
    case .listExperiments: (.get, "/v1/experiments", .server)
    case .createExperiment: (.post, "/v1/experiments", .server)
    case .getExperiment: (.get, "/v1/experiments/{id}", .server)
    case .updateExperiment: (.patch, "/v1/experiments/{id}", .server)
    case .archiveExperiment: (.delete, "/v1/experiments/{id}", .server)
    case .startExperiment: (.post, "/v1/experiments/{id}/start", .server)
    case .stopExperiment: (.post, "/v1/experiments/{id}/stop", .server)
    case .computeSnapshot: (.post, "/v1/experiments/{id}/snapshots", .server)
    case .getResults: (.get, "/v1/experiments/{id}/results", .server)
    case .getResultsHistory: (.get, "/v1/experiments/{id}/results/history", .server)
    case .pauseExperiment: (.post, "/v1/experiments/{id}/pause", .server)
    case .resumeExperiment: (.post, "/v1/experiments/{id}/resume", .server)
    case .listAssignments: (.get, "/v1/experiments/{id}/assignments", .server)
    case .putOverride: (.put, "/v1/experiments/{id}/overrides/{unit_id}", .server)
    case .deleteOverride: (.delete, "/v1/experiments/{id}/overrides/{unit_id}", .server)
    case .listMutexGroups: (.get, "/v1/mutex-groups", .server)
    case .createMutexGroup: (.post, "/v1/mutex-groups", .server)
    case .getMutexGroup: (.get, "/v1/mutex-groups/{id}", .server)
    case .updateMutexGroup: (.patch, "/v1/mutex-groups/{id}", .server)
    case .deleteMutexGroup: (.delete, "/v1/mutex-groups/{id}", .server)
    case .assign: (.post, "/v1/assign", .sdk)
    case .assignBatch: (.post, "/v1/assign/batch", .sdk)
    case .previewAssignment: (.post, "/v1/assign/preview", .server)
    case .getAssignmentsForUnit: (.get, "/v1/assignments/{unit_id}", .sdk)
    case .forceRebucket: (.delete, "/v1/assignments/{experiment}/{unit_id}", .server)
    case .eraseUnit: (.delete, "/v1/units/{unit_id}", .server)
    case .logExposure: (.post, "/v1/exposures", .sdk)
    case .logExposureBatch: (.post, "/v1/exposures/batch", .sdk)
    case .trackEvent: (.post, "/v1/events", .sdk)
    case .trackEventBatch: (.post, "/v1/events/batch", .sdk)
    case .calculateSampleSize: (.post, "/v1/calculators/sample-size", .server)
    case .calculatePower: (.post, "/v1/calculators/power", .server)
    case .calculateEffect: (.post, "/v1/calculators/mde", .server)
    case .calculateDuration: (.post, "/v1/calculators/duration", .server)
    case .calculateSampleRatio: (.post, "/v1/calculators/srm", .server)
    case .calculateSignificance: (.post, "/v1/calculators/significance", .server)
    case .listApiKeys: (.get, "/v1/api-keys", .server)
    case .createApiKey: (.post, "/v1/api-keys", .server)
    case .revokeApiKey: (.delete, "/v1/api-keys/{id}", .server)
    case .rotateApiKey: (.post, "/v1/api-keys/{id}/rotate", .server)
    case .listAudit: (.get, "/v1/audit", .server)
    case .getDescription: (.get, "/openapi.json", .open)
    case .getReference: (.get, "/docs", .open)
    }
  }
}
