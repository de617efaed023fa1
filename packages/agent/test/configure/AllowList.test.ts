import { describe, expect, it } from "@effect/vitest"
import { isLoopback, lies, parseRange, parseRanges } from "@felhom/agent/configure/AddressRange"
import { dropInText, nameServers, notAllowed, parseDropIn } from "@felhom/agent/configure/AllowList"
import { Either } from "effect"

const range = (text: string) => Either.getOrThrow(parseRange(text))
const texts = (ranges: ReadonlyArray<{ readonly text: string }>) => ranges.map(({ text }) => text)

describe("an address or a network", () => {
  it("is read however it is written, and equals itself", () => {
    const same: ReadonlyArray<readonly [string, string]> = [
      ["2001:db8::1", "2001:0DB8:0:0:0:0:0:1"],
      ["::ffff:192.0.2.1", "::ffff:c000:201"],
      ["10.10.10.1/24", "10.10.10.0/24"],
      ["::/0", "2001:db8::/0"],
      ["0.0.0.0/0", "192.0.2.1/0"],
      ["fe80::", "fe80:0:0:0:0:0:0:0"]
    ]
    for (const [one, other] of same) {
      const { text: _, ...bits } = range(one)
      expect(range(other), `${one} ${other}`).toMatchObject(bits)
    }
  })

  it("is refused where it is none", () => {
    const none = [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "256.0.0.1",
      "01.2.3.4",
      "1.2.3.4/33",
      "1.2.3.4/-1",
      "1.2.3.4/",
      "1.2.3.4/24/2",
      "1.2.3.4/024",
      "hub.example",
      "::1::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7:8::",
      "::g",
      "::1/129",
      "12345::",
      "::1.2.3",
      "::1%eth0",
      "1.2.3.4\nIPAddressAllow=any"
    ]
    for (const text of none) expect(Either.isLeft(parseRange(text)), text).toBe(true)
    expect(parseRanges("192.0.2.1, nonsense")).toEqual(Either.left(expect.stringContaining("\"nonsense\"")))
    expect(texts(Either.getOrThrow(parseRanges(" 192.0.2.1,::1  10.0.0.0/8 ")))).toEqual([
      "192.0.2.1",
      "::1",
      "10.0.0.0/8"
    ])
  })

  it("lies in a network that holds all of it", () => {
    expect(lies(range("10.10.10.7"), range("10.10.10.0/24"))).toBe(true)
    expect(lies(range("10.10.11.7"), range("10.10.10.0/24"))).toBe(false)
    expect(lies(range("10.10.0.0/16"), range("10.10.10.0/24"))).toBe(false)
    expect(lies(range("2001:db8::9"), range("2001:db8::/32"))).toBe(true)
    // The same number of another family is another address.
    expect(lies(range("0.0.0.1"), range("::/0"))).toBe(false)
    expect([range("127.8.8.8"), range("::1"), range("128.0.0.1"), range("::2")].map(isLoopback)).toEqual([
      true,
      true,
      false,
      false
    ])
  })
})

describe("the allow list", () => {
  it("names who is spoken to and why, without this host itself, and reads back", () => {
    const text = dropInText([
      { reason: "the hub, hub.example", addresses: [range("2001:db8::1"), range("192.0.2.10"), range("192.0.2.10")] },
      { reason: "Proxmox VE, 127.0.0.1", addresses: [range("127.0.0.1")] },
      { reason: "network.allow", addresses: [range("10.10.10.0/24")] }
    ])
    expect(text.split("\n").slice(2)).toEqual([
      "[Service]",
      "# the hub, hub.example",
      "IPAddressAllow=192.0.2.10 2001:db8::1",
      "# network.allow",
      "IPAddressAllow=10.10.10.0/24",
      ""
    ])
    expect(texts(Either.getOrThrow(parseDropIn(text)))).toEqual(["192.0.2.10", "2001:db8::1", "10.10.10.0/24"])
  })

  it("is read as systemd reads it: an empty assignment takes back what stood before", () => {
    const text = "[Service]\nIPAddressAllow=192.0.2.1\nIPAddressAllow=\nIPAddressAllow=localhost 192.0.2.2\n"
    expect(texts(Either.getOrThrow(parseDropIn(text)))).toEqual(["192.0.2.2"])
    expect(Either.isLeft(parseDropIn("IPAddressAllow=hub.example"))).toBe(true)
  })

  it("finds those whom it does not allow", () => {
    const asked = ["127.0.0.1", "192.0.2.1", "10.10.10.9"].map(range)
    expect(texts(notAllowed(asked, [range("10.10.10.0/24")]))).toEqual(["192.0.2.1"])
  })

  it("takes the resolvers of resolv.conf, scoped ones too", () => {
    const text =
      "# nameserver 192.0.2.99\nsearch home\nnameserver 192.0.2.53\nnameserver fe80::1%vmbr0\nnameserver nonsense\n"
    expect(texts(nameServers(text))).toEqual(["192.0.2.53", "fe80::1"])
  })
})
