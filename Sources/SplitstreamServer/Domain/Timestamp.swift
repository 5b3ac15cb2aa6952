/// An instant: microseconds since 1970-01-01T00:00:00Z, as PostgreSQL keeps it.
struct Timestamp: Hashable, Sendable, Comparable {
  let microseconds: Int

  static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.microseconds < right.microseconds
  }

  func adding(milliseconds: Int) -> Timestamp {
    Timestamp(microseconds: microseconds + milliseconds * 1000)
  }
  func adding(seconds: Int) -> Timestamp {
    Timestamp(microseconds: microseconds + seconds * 1_000_000)
  }
  func adding(days: Int) -> Timestamp { adding(seconds: days * 86_400) }
  /// Whole and part seconds from `earlier` to this instant.
  func seconds(since earlier: Timestamp) -> Double {
    Double(microseconds - earlier.microseconds) / 1e6
  }
}

extension Timestamp {
  /// Reads RFC 3339 §5.6 strictly: `2026-03-02T00:00:00.123456Z` or with `±hh:mm`; years 0001 …
  /// 9999.
  ///
  /// Digits past the microsecond are cut. A leap second (`:60`) is the first instant of the next
  /// minute. Nil for anything else, also for a day that its month does not have.
  init?(rfc3339 text: String) {
    var scanner = DigitScanner(text)
    guard let year = scanner.digits(4), year >= 1, scanner.take("-"),
      let month = scanner.digits(2), (1...12).contains(month), scanner.take("-"),
      let day = scanner.digits(2), (1...Self.days(in: month, of: year)).contains(day),
      scanner.take("T") || scanner.take("t") || scanner.take(" "),
      let hour = scanner.digits(2), hour < 24, scanner.take(":"),
      let minute = scanner.digits(2), minute < 60, scanner.take(":"),
      let second = scanner.digits(2), second <= 60
    else { return nil }
    var fraction = 0
    if scanner.take(".") {
      guard let microseconds = scanner.fraction() else { return nil }
      fraction = microseconds
    }
    var offsetMinutes = 0
    if !(scanner.take("Z") || scanner.take("z")) {
      let isWest = scanner.take("-")
      guard isWest || scanner.take("+"), let hours = scanner.digits(2), hours < 24,
        scanner.take(":"),
        let minutes = scanner.digits(2), minutes < 60
      else { return nil }
      offsetMinutes = (hours * 60 + minutes) * (isWest ? -1 : 1)
    }
    guard scanner.isAtEnd else { return nil }
    let minutes = (Self.daysSince1970(year, month, day) * 24 + hour) * 60 + minute - offsetMinutes
    microseconds = (minutes * 60 + second) * 1_000_000 + fraction
    // The offset may lead out of the years that four digits can write.
    guard Self.writable.contains(microseconds) else { return nil }
  }

  /// `2026-03-02T00:00:00.123456Z`, always in UTC with six digits, so that texts sort as times do.
  var rfc3339: String { String(decoding: rfc3339Bytes, as: UTF8.self) }

  var rfc3339Bytes: [UInt8] {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return bytes
  }

  /// Appends the 27 characters.
  func append(to bytes: inout [UInt8]) {
    let dayLength = 86_400_000_000
    // Rounded down, so that the time of day is positive before 1970 too.
    let day = (microseconds >= 0 ? microseconds : microseconds - dayLength + 1) / dayLength
    let time = microseconds - day * dayLength
    let (year, month, dayOfMonth) = Self.date(daysSince1970: day)
    let second = time / 1_000_000
    bytes.append(addingCapacity: 27) { output in
      // Unsafe: there is room for 27 bytes, and each is written.
      output.withUnsafeMutableBufferPointer { buffer, count in
        let text = buffer.baseAddress! + count
        text.put(pair: year / 100, at: 0)
        text.put(pair: year % 100, at: 2)
        text.put("-", at: 4)
        text.put(pair: month, at: 5)
        text.put("-", at: 7)
        text.put(pair: dayOfMonth, at: 8)
        text.put("T", at: 10)
        text.put(pair: second / 3600, at: 11)
        text.put(":", at: 13)
        text.put(pair: second / 60 % 60, at: 14)
        text.put(":", at: 16)
        text.put(pair: second % 60, at: 17)
        text.put(".", at: 19)
        text.put(pair: time % 1_000_000 / 10_000, at: 20)
        text.put(pair: time % 10_000 / 100, at: 22)
        text.put(pair: time % 100, at: 24)
        text.put("Z", at: 26)
        count += 27
      }
    }
  }

  /// From 0001-01-01T00:00:00Z to the end of 9999.
  private static let writable =
    daysSince1970(1, 1, 1) * 86_400_000_000..<daysSince1970(10_000, 1, 1) * 86_400_000_000

  /// Days from 1970-01-01 in the proleptic Gregorian calendar; years start in March, so that leap
  /// days come last.
  private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let marchYear = month <= 2 ? year - 1 : year
    let era = marchYear / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func date(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
      dayOfYear - (153 * marchMonth + 2) / 5 + 1
    )
  }

  private static func days(in month: Int, of year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }
}

extension UnsafeMutablePointer<UInt8> {
  fileprivate func put(_ character: Unicode.Scalar, at offset: Int) {
    (self + offset).initialize(to: UInt8(ascii: character))
  }

  /// Two decimal digits.
  fileprivate func put(pair value: Int, at offset: Int) {
    let value = UInt8(truncatingIfNeeded: value)
    (self + offset).initialize(to: 0x30 + value / 10)
    (self + offset + 1).initialize(to: 0x30 + value % 10)
  }
}

/// Takes ASCII digits and single characters off the front of a text; nothing that only looks like a
/// digit.
private struct DigitScanner {
  private var rest: Substring.UTF8View

  init(_ text: String) {
    rest = text[...].utf8
  }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest.removeFirst()
    return true
  }

  mutating func digits(_ count: Int) -> Int? {
    var value = 0
    for _ in 0..<count {
      guard let digit = nextDigit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// At least one digit after the point, as microseconds.
  mutating func fraction() -> Int? {
    var value = 0
    var count = 0
    while let digit = nextDigit() {
      if count < 6 { value = value * 10 + digit }
      count += 1
    }
    guard count > 0 else { return nil }
    for _ in min(count, 6)..<6 { value *= 10 }
    return value
  }

  private mutating func nextDigit() -> Int? {
    guard let byte = rest.first, byte >= 0x30, byte <= 0x39 else { return nil }
    rest.removeFirst()
    return Int(byte - 0x30)
  }
}
