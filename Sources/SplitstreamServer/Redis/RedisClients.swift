/// Redis for the code of one loop: one server, or those of a cluster.
protocol RedisLoopClient: AnyObject {
  /// Whether every server that is needed now is connected.
  var isConnected: Bool { get }

  /// Calls `body` on the loop after every change of a connection.
  func watch(_ body: @escaping (RedisPipeline, RedisPipeline.Event) -> Void)

  /// Runs a script on its keys, all of one hash tag.
  func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) async throws(RedisError) -> RedisReply

  func close()
}

/// Redis for callers that wait: one server, or those of a cluster. One thread's at a time.
protocol RedisCaller: AnyObject {
  /// False after an error that leaves the next answer in doubt: its owner makes a new one.
  var isOpen: Bool { get }

  /// Sends one command, whose first argument is its key, and waits for its answer.
  func command(_ arguments: [[UInt8]]) throws(RedisError) -> RedisReply

  /// Runs a script on its keys, all of one hash tag.
  func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) throws(RedisError) -> RedisReply

  func close()
}

extension RedisSession: RedisCaller {}

/// The Redis that a configuration names, and how its clients are made.
struct RedisDeployment: Sendable {
  /// Of a cluster, any node.
  let address: RedisAddress
  var isCluster = false
  /// So many replicas must have an event before it is accepted.
  var replicasMin = 0

  func client(
    scripts: [RedisScript], timeoutSeconds: Double, on loop: EventLoop
  ) -> any RedisLoopClient {
    isCluster
      ? RedisClusterPipeline(
        to: address, scripts: scripts, timeoutSeconds: timeoutSeconds, replicasMin: replicasMin,
        on: loop)
      : RedisPipeline(
        to: address, scripts: scripts, timeoutSeconds: timeoutSeconds, replicasMin: replicasMin,
        on: loop)
  }

  func session() throws(RedisError) -> any RedisCaller {
    isCluster ? try RedisClusterSession(to: address) : try RedisSession(to: address)
  }
}
