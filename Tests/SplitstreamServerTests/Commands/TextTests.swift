import Testing

@testable import SplitstreamServer

/// What people read in the terminal: numbers, tables, progress, keys made of names.
@Suite struct TextTests {
  @Test(
    "grouped",
    arguments: [
      (0, "0"), (999, "999"), (1000, "1,000"), (-90_189, "-90,189"), (1_234_567, "1,234,567"),
      (Int.min, "-9,223,372,036,854,775,808"),
    ])
  func grouped(number: Int, text: String) {
    #expect(NumberText.grouped(number) == text)
  }

  @Test(
    "fixed",
    arguments: [
      (0.5, 2, "0.50"), (-0.004, 2, "0.00"), (-0.005, 2, "-0.01"), (1234.5, 0, "1,235"),
      (0.000_049, 4, "0.0000"), (-12.999, 2, "-13.00"), (1e300, 2, "1e+300"), (.nan, 2, "nan"),
    ])
  func fixed(number: Double, decimals: Int, text: String) {
    #expect(NumberText.fixed(number, decimals: decimals) == text)
  }

  @Test(
    "a probability is never certain when it is not",
    arguments: [
      (0, "0.00 %"), (1e-9, "< 0.01 %"), (0.000_05, "0.01 %"), (0.999_94, "99.99 %"),
      (0.999_999, "> 99.99 %"), (1, "100.00 %"),
    ])
  func probability(p: Double, text: String) {
    #expect(NumberText.probability(p) == text)
  }

  @Test func tablesAlign() {
    var table = TextTable(header: ["variant", "units"])
    table.append(["a", "44,700"])
    table.append(["gate_30 (control)", "1"])
    #expect(
      table.lines == [
        "variant             units",
        "a                  44,700",
        "gate_30 (control)       1",
      ])
  }

  @Test func progressOnATerminalIsDrawnAgain() {
    var bar = ProgressBar(label: "events", total: 1000, isInteractive: true, at: 10)
    #expect(bar.update(done: 1, at: 10.05) == nil)
    #expect(
      bar.update(done: 500, at: 10.5)
        == "\revents [###############---------------] 500 of 1,000  50 %  0.5 s  1,000/s    ")
    #expect(bar.update(done: 501, at: 10.55) == nil)
    #expect(bar.finish(done: 1000, at: 11).hasSuffix("1,000 of 1,000  100 %  1.0 s  1,000/s    \n"))
  }

  @Test func progressElsewhereIsALineNowAndThen() {
    var bar = ProgressBar(label: "events", total: 0, isInteractive: false, at: 0)
    #expect(bar.update(done: 1, at: 9) == nil)
    #expect(bar.update(done: 1, at: 10) == "events: 1 of 0  100 %  10.0 s  0/s\n")
    #expect(bar.finish(done: 0, at: 0) == "events: 0 of 0  100 %  0.0 s  0/s\n")
  }

  @Test(
    "names become keys",
    arguments: [
      ("gate_30", "gate_30"), ("-a-", "-a-"), ("Gate 30%", "gate-30"), ("  A / B  ", "a-b"),
      ("Größe", "gr-e"), ("\u{212A}elvin", "elvin"), ("日本", nil), ("", nil),
      (String(repeating: "x", count: 65), String(repeating: "x", count: 64)),
      (String(repeating: "x", count: 63) + " y", String(repeating: "x", count: 63)),
    ] as [(String, String?)])
  func key(name: String, key: String?) {
    let made = KeyName.make(from: name, bytesMax: 64)
    #expect(made == key)
    #expect(made.map { KeyName.isValid($0, bytesMax: 64) } ?? true)
  }

  @Test(
    "a file's name becomes a key",
    arguments: [
      ("/a b/cookie_cats.csv.gz", "cookie_cats"), ("Past Test.CSV", "past-test"), ("x.gz", "x"),
      ("a.b.txt", "a.b.txt"), (".csv", nil), ("/", nil),
    ] as [(String, String?)])
  func fileKey(path: String, key: String?) {
    #expect(KeyName.make(fromFile: path) == key)
  }

  /// Values of the reference implementation's test suite (fnv-5, 128 bits, FNV-1a).
  @Test(
    "fingerprints",
    arguments: [
      ("", "6c62272e07bb014262b821756295c58d"), ("a", "d228cb696f1a8caf78912b704e4a8964"),
      ("foobar", "343e1662793c64bf6f0d3597ba446f18"),
    ])
  func fingerprint(text: String, hex: String) {
    var fingerprint = Fingerprint()
    fingerprint.add(text.utf8)
    #expect(fingerprint.text == hex)
  }
}
