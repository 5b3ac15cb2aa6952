// swift-tools-version: 6.2
import PackageDescription

/// Header-only modules: Debian's C libraries as Swift sees them, without a line of C of ours but
/// inline shims.
let systemLibraries: [Target] = [
  .systemLibrary(name: "CEpoll"),
  .systemLibrary(
    name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
  // hiredis's pkg-config brings a flag that SwiftPM warns about; `link "hiredis"` is enough.
  .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
  .systemLibrary(
    name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
  .systemLibrary(
    name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
  .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
]

let swiftSettings: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  // An async function stays on the executor of its caller: on an event loop, that loop.
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "splitstream",
  products: [.executable(name: "splitstream-server", targets: ["SplitstreamServer"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
  ],
  targets: systemLibraries + [
    .executableTarget(
      name: "SplitstreamServer",
      dependencies: [
        "CEpoll", "CPostgres", "CHiredis", "CSodium", "COpenSSL", "CZlib",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "TOMLKit", package: "TOMLKit"),
      ],
      // The migrations and the description of the API are part of the program: one file to install.
      resources: [.embedInCode("Migrations"), .embedInCode("openapi.json")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "SplitstreamServerTests",
      dependencies: ["SplitstreamServer"],
      exclude: ["Fixtures"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "Benchmarks", dependencies: ["SplitstreamServer"], path: "Tests/Benchmarks/InProcess",
      swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6]
)
