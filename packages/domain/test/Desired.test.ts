import { describe, it } from "@effect/vitest"
import { decodeDesired } from "@felhom/domain/DesiredDocument"
import { DesiredPolicy, usualDesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { Either, Schema } from "effect"
import { expect } from "vitest"

const identity = { hwaddrs: ["BC:24:11:00:00:65"], volumes: [], smbiosUuid: null, key: null }

const decoded = (wish: object, guest: object = { type: "lxc", identity }) =>
  decodeDesired(new TextEncoder().encode(JSON.stringify({
    typ: "felhom/desired/v1",
    host: "c".repeat(32),
    hostEpoch: "d".repeat(32),
    epoch: "a".repeat(32),
    version: 1,
    issued: 1,
    expires: 2,
    state: { guests: [{ guest, ...wish }] }
  })))

const takes = (wish: object, guest?: object) => Either.isRight(decoded(wish, guest))
const refusal = (wish: object, guest?: object) =>
  Either.match(decoded(wish, guest), { onLeft: ({ message }) => message, onRight: () => "" })

const whole = {
  power: "running",
  name: "web-1.example",
  cores: 2,
  cpulimit: 0,
  cpuunits: 100,
  memory: 512,
  swap: 0,
  onboot: true,
  startup: { order: 1, up: 30, down: 60 },
  description: "two\nlines",
  tags: ["a"],
  protection: true,
  nameserver: ["192.168.1.1", "fd00::1"],
  nets: {
    net0: {
      bridge: "vmbr0",
      tag: 7,
      mtu: 1500,
      rate: 10,
      firewall: true,
      linkDown: false,
      ip: "192.168.1.2/24",
      gw: "192.168.1.1",
      ip6: "auto",
      gw6: "fe80::1"
    }
  },
  volumes: { rootfs: 8, mp0: 16 }
}

describe("a desired state", () => {
  it("takes everything that a guest can be wished to be, and each of it alone", () => {
    expect(refusal(whole)).toBe("")
    for (const [key, value] of Object.entries(whole)) expect(refusal({ [key]: value }), key).toBe("")
  })

  it("is closed at every level, so that nothing in it can say what this version does not know", () => {
    for (
      const wish of [
        { destroy: true },
        { protection: false },
        { features: "keyctl=1" },
        { startup: { order: 1, kill: true } },
        { nets: { net0: { hwaddr: "BC:24:11:00:00:66" } } },
        { nets: { net32: {} } },
        { nets: { net00: {} } },
        { nets: { "net1e1": {} } },
        { volumes: { unused0: 1 } },
        { volumes: { rootfs: 0 } },
        { volumes: { rootfs: 1.5 } }
      ]
    ) {
      expect(takes(wish), JSON.stringify(wish)).toBe(false)
    }
  })

  it("has no text in it that could become another part of what Proxmox reads", () => {
    for (
      const wish of [
        { name: "a,b=c" },
        { name: "-a" },
        { name: "a..b" },
        { nameserver: ["1.1.1.1 -x"] },
        { nets: { net0: { bridge: "vmbr0,firewall=0" } } },
        { nets: { net0: { ip: "1.1.1.1/24,gw=2.2.2.2" } } },
        { nets: { net0: { gw6: "fe80::1\n" } } },
        { tags: ["a;b"] }
      ]
    ) {
      expect(takes(wish), JSON.stringify(wish)).toBe(false)
    }
  })

  it("says in words what is wrong with a name", () => {
    expect(refusal({ name: "no spaces" })).toContain("state.guests.0.name: a name is a DNS name")
  })

  it("can have a container made, by a key that says who it is", () => {
    const make = { image: "debian-13", storage: "local-zfs" }
    const keyed = (key: string | null) => ({ hwaddrs: [], volumes: [], smbiosUuid: null, key })
    expect(takes({ make }, { type: "lxc", identity: keyed("0".repeat(32)) })).toBe(true)
    expect(takes({ make }, { type: "lxc", identity: keyed("short") })).toBe(false)
    expect(takes({ make }, { type: "qemu", identity: keyed("0".repeat(32)) })).toBe(true)
    expect(takes({ make }, { type: "qemu", identity: keyed(null) })).toBe(false)
    expect(refusal({ make })).toContain("only a guest with a key of 32 lower-case hex digits can be made")
  })
})

const policy = Schema.decodeUnknownEither(DesiredPolicy, { onExcessProperty: "error" })
const policyTakes = (value: unknown) => Either.isRight(policy(value))

describe("a host's policy about desired state", () => {
  it("without a word lets little happen at once, and nothing new be put anywhere", () => {
    expect(usualDesiredPolicy).toMatchObject({
      bridges: [],
      storages: [],
      images: {},
      scratch: null,
      caps: { creations: 2, grownGib: 100 },
      blastRadius: { guests: 5, minutes: 60 },
      maintenance: [],
      timeZone: "UTC"
    })
    expect(usualDesiredPolicy.correction).toMatchObject({ power: "fix", unnamed: "never" })
  })

  it("is closed, and every part of it is looked at", () => {
    expect(
      policyTakes({ maintenance: [{ weekdays: [0, 6], from: "02:30", minutes: 90 }], timeZone: "Europe/Budapest" })
    )
      .toBe(true)
    expect(
      policyTakes({ correction: { power: "report" }, floors: { storages: { tank: { free: 5, metadataFree: 0 } } } })
    )
      .toBe(true)
    for (
      const value of [
        { more: 1 },
        { correction: { power: "always" } },
        { correction: { powers: "fix" } },
        { floors: { usual: { free: 101, metadataFree: 1 } } },
        { floors: { usual: { free: 1 } } },
        { maintenance: [{ from: "24:00", minutes: 1 }] },
        { maintenance: [{ from: "02:00", minutes: 1441 }] },
        { maintenance: [{ from: "02:00", minutes: 1, weekdays: [7] }] },
        { timeZone: "Budapest/Europe" },
        { images: { debian: "no-volume" } },
        { scratch: { from: 1, to: 200 } },
        { caps: { creations: -1, grownGib: 1 } },
        { blastRadius: { guests: 1, minutes: 0 } }
      ]
    ) {
      expect(policyTakes(value), JSON.stringify(value)).toBe(false)
    }
  })
})
