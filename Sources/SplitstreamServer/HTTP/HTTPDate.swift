/// A time as `Sun, 06 Nov 1994 08:49:37 GMT`: IMF-fixdate, RFC 9110 §5.6.7.
enum HTTPDate {
  /// The 29 bytes for a time of the Unix epoch, in years 1970–9999.
  static func bytes(unixSeconds: Int) -> [UInt8] {
    let (days, second) = unixSeconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civil(daysSince1970: days)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(29)
    // 1 January 1970 was a Thursday.
    bytes.append(weekdays[days % 7])
    append(day, to: &bytes)
    bytes.append(months[month - 1])
    append(year / 100, to: &bytes)
    append(year % 100, to: &bytes)
    bytes.append(ASCII.space)
    append(second / 3600, to: &bytes)
    bytes.append(ASCII.colon)
    append(second / 60 % 60, to: &bytes)
    bytes.append(ASCII.colon)
    append(second % 60, to: &bytes)
    bytes.append(" GMT")
    return bytes
  }

  /// The proleptic Gregorian date, counting years from March so that the leap day comes last.
  ///
  /// - Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
  private static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
    let sinceMarch0 = days + 719_468
    let era = sinceMarch0 / 146_097
    let dayOfEra = sinceMarch0 % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }

  private static func append(_ number: Int, to bytes: inout [UInt8]) {
    bytes.append(ASCII.zero + UInt8(number / 10 % 10))
    bytes.append(ASCII.zero + UInt8(number % 10))
  }

  private static let weekdays: [StaticString] = [
    "Thu, ", "Fri, ", "Sat, ", "Sun, ", "Mon, ", "Tue, ", "Wed, ",
  ]
  private static let months: [StaticString] = [
    " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ",
    " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec ",
  ]
}
