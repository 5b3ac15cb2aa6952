/// The schema's steps, in their order. The files are `migrations/`, built into the program.
enum Schema {
  static let migrations = [
    migration(1, "first_run", PackageResources._001_first_run_sql),
    migration(2, "assignment_control", PackageResources._002_assignment_control_sql),
    migration(3, "administration", PackageResources._003_administration_sql),
    migration(4, "audiences", PackageResources._004_audiences_sql),
    migration(5, "unit_erasure", PackageResources._005_unit_erasure_sql),
    migration(6, "incremental_analysis", PackageResources._006_incremental_analysis_sql),
    migration(7, "unit_values_alone", PackageResources._007_unit_values_alone_sql),
    migration(8, "parallel_analysis", PackageResources._008_parallel_analysis_sql),
  ]

  private static func migration(_ version: Int, _ name: String, _ sql: [UInt8]) -> Migration {
    Migration(version: version, name: name, sql: String(decoding: sql, as: UTF8.self))
  }
}
