import Testing

@testable import SplitstreamServer

/// Which network an address belongs to decides whose word is taken: both families, to the bit.
@Suite struct IPAddressTests {
  @Test(
    "addresses are read and shown",
    arguments: [
      ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
      ("2001:DB8:0:0::1", "2001:db8::1"), ("::ffff:10.1.2.3", "10.1.2.3"),
    ])
  func shown(text: String, description: String) {
    #expect(IPAddress(parsing: text.utf8)?.description == description)
  }

  @Test(
    "what is no address is refused",
    arguments: [
      "", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4:80", "[::1]", "::1%lo",
      "localhost", "1.2.3.4\0", "1.2.3.4 ", String(repeating: "1", count: 100),
    ])
  func refused(text: String) {
    #expect(IPAddress(parsing: text.utf8) == nil)
  }

  @Test(
    "a network has the addresses that begin like it",
    arguments: [
      ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false),
      ("10.0.0.0/8", "::a00:1", false), ("192.168.4.0/22", "192.168.7.255", true),
      ("192.168.4.0/22", "192.168.8.0", false), ("1.2.3.4", "1.2.3.4", true),
      ("1.2.3.4", "1.2.3.5", false), ("0.0.0.0/0", "9.9.9.9", true), ("0.0.0.0/0", "::1", false),
      ("::/0", "9.9.9.9", true), ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false),
      ("2001:db8::/64", "2001:db8::ffff:0:0:1", true), ("2001:db8::/64", "2001:db8:0:1::", false),
      ("2001:db8::/65", "2001:db8::8000:0:0:0", false), ("::1/128", "::1", true),
      ("::1", "::2", false), ("10.0.0.0/8", "::ffff:10.0.0.1", true),
    ])
  func networks(network: String, address: String, isIn: Bool) throws {
    let network = try #require(IPNetwork(parsing: network))
    let address = try #require(IPAddress(parsing: address.utf8))
    #expect(network.contains(address) == isIn)
  }

  @Test(
    "a network is written without doubt",
    arguments: [
      "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "::/129",
      "10.0.0.1/8", "fd00::1/8", "10.0.0.0 /8", "any",
    ])
  func doubtful(text: String) {
    #expect(IPNetwork(parsing: text) == nil)
  }

  @Test(arguments: ["10.0.0.0/8", "1.2.3.4/32", "::/0", "fd00::/8"])
  func networksAreShown(text: String) {
    #expect(IPNetwork(parsing: text)?.description == text)
  }
}
