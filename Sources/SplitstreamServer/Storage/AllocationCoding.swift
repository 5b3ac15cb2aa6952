/// An allocation as `weight_epochs.allocation` keeps it: `[{"variant": id, "weight": 50, "slots":
/// [[0, 5000]]}, …]`.
enum AllocationCoding {
  static func encode(_ allocation: Allocation, of variants: [Variant]) -> [UInt8] {
    var json = JSONWriter()
    json.array { json in
      for (index, variant) in variants.enumerated() {
        json.object { json in
          json.member("variant", variant.id.text)
          json.member("weight", allocation.weights[index])
          json.key("slots")
          json.array { json in
            for range in allocation.slots[index] {
              json.array { json in
                json.integer(range.lowerBound)
                json.integer(range.upperBound)
              }
            }
          }
        }
      }
    }
    return json.bytes
  }

  /// Nil unless `bytes` is an allocation of exactly these variants; their order may have changed
  /// since.
  static func decode(_ bytes: [UInt8], of variants: [Variant]) -> Allocation? {
    guard let value = try? JSONValue(parsing: bytes) else { return nil }
    var weights = [Int](repeating: 0, count: variants.count)
    var slots = [[Range<Int>]](repeating: [], count: variants.count)
    var found = 0
    for element in value.elements {
      guard let id = element["variant"]?.string.flatMap(ULID.init(_:)),
        let index = variants.firstIndex(where: { $0.id == id }),
        let weight = element["weight"]?.integer,
        let ranges = element["slots"]?.elements
      else { return nil }
      weights[index] = weight
      for range in ranges {
        let ends = range.elements.compactMap(\.integer)
        guard ends.count == 2, ends[0] >= 0, ends[0] < ends[1], ends[1] <= Allocation.slotCount
        else { return nil }
        slots[index].append(ends[0]..<ends[1])
      }
      found += 1
    }
    return found == variants.count ? Allocation(weights: weights, slots: slots) : nil
  }
}
