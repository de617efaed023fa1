import { describe, it } from "@effect/vitest"
import { publicKeyBlob } from "@felhom/domain/Sshsig"
import { Effect } from "effect"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { desiredWorld, known } from "./DesiredWorld.ts"
import { makePerson } from "./TrustWorld.ts"

const guests = [
  known(101, "blog", { status: "stopped" }),
  known(102, "wiki"),
  known(103, "twin"),
  known(104, "twin"),
  known(200, "vm", { type: "qemu" })
]

const wishes = `host: attic
guests:
  blog: { power: running, memory: 2 GiB, swap: 256 }
  lxc/102: { onboot: true }
`

const problems = (err: string): ReadonlyArray<string> =>
  err.split("\n").slice(0, -1).map((line) => line.replace(/^.*\/([^/]+:\d+:\d+)/, "$1"))

/** A host with guests, and one file with these wishes: what its author is told. */
const telling = (text: string, name = "attic.yaml") =>
  Effect.gen(function*() {
    const { host, operator, trusts, write } = yield* desiredWorld()
    yield* host.reports(guests)
    yield* trusts
    const { code, err } = yield* operator.felhom(["apply", "-f", write(name, text), "--yes"])
    return { code, lines: problems(err), last: err.split("\n").at(-1) }
  })

describe("felhom apply", () => {
  it.scopedLive("shows what changes, asks, and publishes it; the host takes it, and the next one changes nothing", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const path = write("attic.yaml", wishes)
      const shown = yield* operator.felhom(["apply", "-f", path, "--dry-run"])
      expect(shown).toMatchObject({ code: 0, err: "" })
      expect(shown.out).toMatch(/^attic \([0-9a-f]{8}\), as it said itself \d+ \w+ ago \(report 1\)$/m)
      expect(shown.out).toContain("  at the hub now: nothing is wished for it")
      expect(shown.out).toContain("    + lxc/101 blog: power running, memory 2048 MiB, swap 256 MiB")
      expect(shown.out).toContain("    + lxc/102 wiki: onboot true")
      expect(shown.out).toContain("    lxc/101 blog: change memory: 1024 -> 2048")
      expect(shown.out).toContain("    lxc/102 wiki: change onboot: 0 -> 1")
      expect(shown.out).toContain("    lxc/101 blog: start: stopped -> running")
      expect(shown.out).toContain("  what its report does not tell, so it may differ as well:\n    lxc/101 blog: swap")
      expect(shown.out).toContain("shown only: nothing was applied")
      expect((yield* operator.felhom(["desired", "show", "attic"])).out).toContain("nothing is wished for it")

      expect(yield* operator.felhom(["apply", "-f", path], { types: "no" })).toMatchObject({
        code: 2,
        err: "nothing was applied: the answer was not yes"
      })
      expect(yield* host.reports(guests)).not.toHaveProperty("desired")
      const done = yield* operator.felhom(["apply", "-f", path, "--reason", "the house"], { types: "yes" })
      expect(done).toMatchObject({ code: 0, err: "" })
      expect(done.out).toContain("applied to attic as version 1;")
      const before = yield* operator.felhom(["desired", "show", "attic"])
      expect(before.out).toContain("it has taken none yet")
      expect(yield* host.reports(guests)).toHaveProperty("desired")
      expect(yield* host.reports(guests)).toMatchObject({ unchanged: true })
      const after = yield* operator.felhom(["desired", "show", "attic"])
      expect(after.out).toMatch(/^version 1, applied by anna \d+ \w+ ago/m)
      expect(after.out).toContain("it goes by exactly this, as version 1")
      expect(after.out).toMatch(/^lxc\/101 blog +\d+ \w+ ago +anna +power running, memory 2048 MiB, swap 256 MiB$/m)

      const again = yield* operator.felhom(["apply", "-f", path])
      expect(again).toMatchObject({ code: 0 })
      expect(again.out).toContain("this is what is wished for it already")
      expect(again.out).toContain("nothing was to be applied")
      const log = yield* operator.felhom(["desired", "log", "attic"])
      expect(log.out).toMatch(/^ +1 {2}\S+ \S+ UTC +anna +2 +7 d +the house$/m)
      expect(host.refused).toEqual([])
    }))

  it.scopedLive("names what changes against what is wished already, and what is no longer named", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      yield* operator.felhom(["apply", "-f", write("attic.yaml", wishes), "--yes"])
      const next = write(
        "attic.yaml",
        "host: attic\ngoodFor: 2d\nguests:\n  blog: { memory: 3 GiB, swap: 256, tags: [prod] }\n"
      )
      const { code, out } = yield* operator.felhom(["apply", "-f", next, "--yes"])
      expect(code).toBe(0)
      expect(out).toContain("    ~ lxc/101 blog: memory 2048 MiB -> 3072 MiB, tags [prod], power as it is")
      expect(out).toContain("    - lxc/102 wiki: is no longer named, and is left as it is")
      expect(out).toContain("good for 2 d without its hub")
      const json = yield* operator.felhom(["desired", "show", "attic", "--output", "json"])
      expect(JSON.parse(json.out)).toMatchObject({
        wished: { entry: { applied: { version: 2, by: "anna" }, goodFor: 172_800 } }
      })
    }))

  it.scopedLive("takes a folder: groups by name and by pattern, and several files for one host", () =>
    Effect.gen(function*() {
      const { hosts, operator, place, trusts, write } = yield* desiredWorld("home-1", "home-2", "shop")
      for (const host of hosts) yield* host.reports(guests)
      yield* trusts
      write("homes.yaml", "hosts: [home-*]\nguests:\n  blog: { power: running }\n")
      write("shop.json", "{\"hosts\": [\"shop\"], \"guests\": {\"lxc/101\": {\"onboot\": true}}}")
      write("extra.yml", "host: home-2\nguests:\n  wiki: { power: running }\n")
      write("README.md", "not a wish")
      write(".hidden.yaml", "not a wish")
      rmSync(join(operator.home, ".config/felhom/known-hosts.seen"), { force: true })
      const { code, err, out } = yield* operator.felhom(["apply", "-f", place, "--yes"])
      expect({ code, err }).toEqual({ code: 0, err: "" })
      for (const node of ["home-1", "home-2", "shop"]) expect(out).toContain(`applied to ${node} as version 1`)
      // How far each host's reports have come is remembered of all of them.
      const seen = JSON.parse(readFileSync(join(operator.home, ".config/felhom/known-hosts.seen"), "utf8"))
      expect(Object.keys(seen.hosts).toSorted()).toEqual(hosts.map(({ id }) => id).toSorted())
      const wishes = yield* Effect.forEach(["home-1", "home-2", "shop"], (node) =>
        Effect.map(
          operator.felhom(["desired", "show", node, "--output", "json"]),
          ({ out }) => JSON.parse(out).wished.wishes.map(({ called }: { readonly called: string }) => called).toSorted()
        ))
      expect(wishes).toEqual([["lxc/101 blog"], ["lxc/101 blog", "lxc/102 wiki"], ["lxc/101 blog"]])
    }))

  it.scopedLive("tells all that is wrong at once, by file, line and column, and applies nothing to any host", () =>
    Effect.gen(function*() {
      const { hosts, operator, place, trusts, write } = yield* desiredWorld("home-1", "home-2")
      for (const host of hosts) yield* host.reports(guests)
      yield* trusts
      write("a.yaml", "host: home-1\nguests:\n  blog: { power: running }\n")
      write("b.yaml", "host: home-2\nguests:\n  blog: { pwer: running }\n")
      write("c.yaml", "hosts:\n  - hom-1\n  - shop-*\nguests: {}\n")
      write("d.yaml", "host: home-1\ngoodFor: 1d\nguests:\n  lxc/101: { onboot: true }\n  blgo: {}\n")
      write("e.yaml", "")
      const { code, err } = yield* operator.felhom(["apply", "-f", place, "--yes"])
      expect(code).toBe(2)
      expect(problems(err)).toEqual([
        "b.yaml:3:11: guests.blog.pwer: \"pwer\" is not known here; is power meant?",
        "e.yaml:1:1: it is empty: it says for which host it is, and what its guests should be",
        "c.yaml:2:5: hosts.0: this hub knows no host hom-1; is home-1 meant?; see felhom hosts",
        "c.yaml:3:5: hosts.1: no host's node name is like shop-*; see felhom hosts",
        expect.stringMatching(
          /^d\.yaml:4:3: guests\.lxc\/101: on home-1: something is wished for this very guest in .*a\.yaml, line 3 already$/
        ),
        "d.yaml:5:3: guests.blgo: on home-1: no guest of the host is called that, by its last report; is blog meant? To have it made, say from what (make)",
        "d.yaml:2:1: goodFor: on home-1: two files say how long it is good, and not the same"
      ])
      expect(err.split("\n").at(-1)).toBe("7 problems in the files; nothing was applied to any host")
      expect((yield* operator.felhom(["desired", "log", "home-1"])).out).toContain("nothing was ever applied")
    }))

  it.scopedLive("does not guess which guest is meant", () =>
    Effect.gen(function*() {
      const { code, last, lines } = yield* telling(`host: attic
guests:
  twin: { power: running }
  lxc/200: { power: running }
  qemu/102: { power: running }
  lxc/999: { power: running }
  101: { power: running }
`)
      expect({ code, last }).toEqual({ code: 2, last: "5 problems in the files; nothing was applied to any host" })
      // Keys that are numbers come first in an object, wherever they stood.
      expect(lines.toSorted()).toEqual([
        "attic.yaml:3:3: guests.twin: on attic: 2 guests of the host are called that: lxc/103 and lxc/104; name each by its number",
        "attic.yaml:4:3: guests.lxc/200: on attic: 200 is a virtual machine there (qemu/200), and a container is wished for",
        "attic.yaml:5:3: guests.qemu/102: on attic: 102 is a container there (lxc/102), and a virtual machine is wished for",
        "attic.yaml:6:3: guests.lxc/999: on attic: the host has no guest lxc/999, by its last report",
        "attic.yaml:7:3: guests.101: on attic: no guest of the host is called that, by its last report; is lxc/101 meant? To have it made, say from what (make)"
      ])
    }))

  it.scopedLive("names a guest that is to be made by its key, and gives it the name that the file calls it", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const key = "0123456789abcdef".repeat(2)
      const path = write(
        "attic.yaml",
        `host: attic\nguests:\n  shop: { power: running, make: { image: debian-13, storage: local-lvm, key: ${key} } }\n`
      )
      const { code, out } = yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect(code).toBe(0)
      expect(out).toContain("    + new shop: power running, make.image debian-13, make.storage local-lvm, name shop")
      expect(out).toContain("    new shop: make: (none) -> from debian-13 on local-lvm")
      const { desired = "" } = yield* host.reports(guests)
      expect(JSON.parse(Buffer.from(desired, "base64").toString())).toMatchObject({
        state: {
          guests: [{
            guest: { type: "lxc", identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key } },
            make: { image: "debian-13", storage: "local-lvm" },
            name: "shop"
          }]
        }
      })
      // Once it is there the report does not tell that it was made so, and its name has to do.
      yield* host.reports([...guests, known(107, "shop", { status: "stopped" })])
      const later = yield* operator.felhom(["apply", "-f", path, "--dry-run"])
      expect(later.out).toContain("    lxc/107 shop: start: stopped -> running")
      expect(later.out).toContain("    new shop: whether it was made by this key")
      expect(later.out).not.toContain("make: (none)")
      expect((yield* operator.felhom(["why", "attic", "shop"])).out).toContain(
        "wished    power running, make.image debian-13"
      )
    }))

  it.scopedLive("has a virtual machine made where the file says so", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const key = "0123456789abcdef".repeat(2)
      const make = `make: { type: qemu, image: golden-vm, storage: local-lvm, key: ${key} }`
      const path = write(
        "attic.yaml",
        `host: attic\nguests:\n  till:\n    power: running\n    ${make}\n    nets: { net0: { bridge: vmbr0 } }\n    volumes: { scsi0: 40 }\n`
      )
      const { code, out } = yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect(code).toBe(0)
      expect(out).toContain("    new till: make: (none) -> from golden-vm on local-lvm")
      const { desired = "" } = yield* host.reports(guests)
      expect(JSON.parse(Buffer.from(desired, "base64").toString())).toMatchObject({
        state: {
          guests: [{
            guest: { type: "qemu", identity: { key } },
            make: { image: "golden-vm", storage: "local-lvm" },
            name: "till",
            volumes: { scsi0: 40 }
          }]
        }
      })
      // A container of that name is another guest, and a machine is taken for it.
      yield* host.reports([...guests, known(107, "till")])
      expect((yield* operator.felhom(["apply", "-f", path, "--dry-run"])).out).toContain(
        "more than one guest of this host would be called till"
      )
      yield* host.reports([...guests, known(108, "till", { type: "qemu", status: "stopped" })])
      expect((yield* operator.felhom(["apply", "-f", path, "--dry-run"])).out).toContain(
        "    qemu/108 till: start: stopped -> running"
      )
    }))

  it.scopedLive("says of a new virtual machine what none can be wished to have", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const wishFor = (type: string, more: string, digit: string) =>
        `    make: { ${type}image: golden, storage: local, key: ${digit.repeat(31)}a }\n    ${more}\n`
      const path = write(
        "attic.yaml",
        "host: attic\nguests:\n" +
          `  a1:\n${wishFor("type: qemu, ", "swap: 512", "1")}` +
          `  a2:\n${wishFor("type: qemu, ", "nets: { net0: { bridge: vmbr0, ip: dhcp } }", "2")}` +
          `  a3:\n${wishFor("type: qemu, ", "volumes: { rootfs: 8 }", "3")}` +
          `  a4:\n${wishFor("", "volumes: { scsi0: 8 }", "4")}`
      )
      const { err } = yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect(problems(err)).toEqual([
        "attic.yaml:3:3: guests.a1: on attic: swap: a virtual machine has none from its host",
        "attic.yaml:6:3: guests.a2: on attic: net0: a virtual machine sets ip inside itself",
        "attic.yaml:9:3: guests.a3: on attic: a virtual machine has no rootfs, which is wished for",
        "attic.yaml:12:3: guests.a4: on attic: a new guest has its root volume alone, and scsi0 is wished for"
      ])
      const odd = write("odd.yaml", `host: attic\nguests:\n  a1:\n${wishFor("type: vm, ", "onboot: true", "1")}`)
      expect(problems((yield* operator.felhom(["apply", "-f", odd, "--yes"])).err)).toEqual([
        "odd.yaml:4:13: guests.a1.make.type: expected \"lxc\" or \"qemu\", found \"vm\""
      ])
    }))

  it.scopedLive("says what a host's own report can't tell of it: unreadable, unmistakable, or missing", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports([
        known(101, "blog", { config: { state: "unavailable", reason: "it is locked" } }),
        known(102, "wiki", {
          config: {
            state: "ok",
            readAt: 1,
            value: {
              identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key: null },
              hash: "c".repeat(64),
              protection: false,
              onboot: false,
              description: null
            }
          }
        })
      ])
      yield* trusts
      const path = write("attic.yaml", "host: attic\nguests:\n  blog: {}\n  wiki: {}\n")
      const { err } = yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect(problems(err)).toEqual([
        "attic.yaml:3:3: guests.blog: on attic: the host could not read who lxc/101 is: it is locked",
        "attic.yaml:4:3: guests.wiki: on attic: lxc/102 has no network address and no volume, so nothing tells it from another guest"
      ])
    }))

  it.scopedLive("takes a host's word only, and its last: nothing is made of a report that nobody signed, or of an old one", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      const path = write("attic.yaml", wishes)
      yield* host.reports(guests)
      const stranger = yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect(stranger.code).toBe(1)
      expect(stranger.err).toContain("its key is not known here")
      yield* trusts
      yield* operator.felhom(["apply", "-f", path, "--dry-run"])
      yield* host.reports(guests, { sequence: 9, takenAt: Date.now() + 1_000 })
      expect((yield* operator.felhom(["apply", "-f", path, "--dry-run"])).code).toBe(0)
      // Another life of the host with an earlier clock: its hub shows what the host said before.
      yield* host.send({ sequence: 1, takenAt: Date.now() - 3_600_000 }, { epoch: "9".repeat(32) })
      const old = yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect(old.code).toBe(1)
      expect(old.err).toMatch(/the hub serves a report that is .* older than one seen before/)
    }))

  it.scopedLive("makes nothing of a report that another key signed than the one that this machine knows", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const file = join(operator.home, ".config/felhom/known-hosts")
      const other = Buffer.from(publicKeyBlob(new Uint8Array(32).fill(9))).toString("base64")
      writeFileSync(file, readFileSync(file, "utf8").replace(/ssh-ed25519 \S+/, `ssh-ed25519 ${other}`))
      for (
        const args of [["apply", "-f", write("attic.yaml", wishes), "--yes"], ["desired", "show", "attic"], [
          "why",
          "attic",
          "blog"
        ]]
      ) {
        const { code, err, out } = yield* operator.felhom(args)
        expect(code).toBe(1)
        expect(err).toContain("its last report is not what it signed")
        expect(out).toBe("")
      }
      expect((yield* operator.felhom(["desired", "log", "attic"])).out).toContain("nothing was ever applied")
    }))

  it.scopedLive("is for operators, while viewers may look; nothing at all takes a word of its own", () =>
    Effect.gen(function*() {
      const { host, hub, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const path = write("attic.yaml", wishes)
      const viewer = yield* makePerson(hub, yield* hub.token("viewer"))
      yield* viewer.felhom(["trust", "attic"], { types: host.code })
      const refused = yield* viewer.felhom(["apply", "-f", path, "--yes"])
      expect(refused.code).toBe(1)
      expect(refused.err).toContain("this takes the role operator")
      yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect((yield* viewer.felhom(["desired", "show", "attic"])).out).toContain("applied by anna")

      const empty = write("empty.yaml", "host: attic\nguests: {}\n")
      const nothing = yield* operator.felhom(["apply", "-f", empty, "--yes"])
      expect(nothing).toMatchObject({
        code: 2,
        err: "nothing at all is wished for attic; if that is meant, say so: --allow-empty"
      })
      expect(yield* operator.felhom(["apply", "-f", empty, "--yes", "--allow-empty"])).toMatchObject({ code: 0 })
      expect((yield* operator.felhom(["desired", "show", "attic"])).out).toContain("none: all guests are left alone")
      yield* host.reports(guests)
      expect(yield* host.reports(guests)).toMatchObject({ unchanged: true })
      expect(host.refused).toEqual([])
    }))

  it.scopedLive("tells the second of two people at once who was quicker, and goes on with the other hosts", () =>
    Effect.gen(function*() {
      const { hosts, hub, operator, place, trusts, write } = yield* desiredWorld("home-1", "home-2")
      for (const host of hosts) yield* host.reports(guests)
      yield* trusts
      write("all/homes.yaml", "hosts: ['*']\nguests:\n  blog: { power: running }\n")
      const bert = yield* makePerson(hub, yield* hub.token("operator", "bert"))
      for (const host of hosts) yield* bert.felhom(["trust", host.id], { types: host.code })
      yield* operator.felhom(["apply", "-f", `${place}/all`, "--yes"])
      // Both looked at version 1; what bert types, he types after anna's second apply to one of the hosts.
      const second = write("second.yaml", "host: home-1\nguests:\n  wiki: { power: running }\n")
      const slow = write("slow.yaml", "hosts: ['*']\nguests:\n  blog: { onboot: true }\n")
      const late = yield* bert.felhom(["apply", "-f", slow], {
        types: "yes",
        meanwhile: Effect.asVoid(operator.felhom(["apply", "-f", second, "--yes"]))
      })
      expect(late.code).toBe(1)
      expect(late.err).toContain("not applied: home-1: ")
      expect(late.err).toContain("since then anna applied version 2")
      expect(late.out).toContain("applied to home-2 as version 2")
      expect((yield* operator.felhom(["desired", "show", "home-1"])).out).toContain("version 2, applied by anna")
    }))

  it.scopedLive("answers programs in JSON, and brings states as large as a host takes", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      const many = Array.from({ length: 40 }, (_, index) => known(110 + index, `guest-${index}`))
      yield* host.reports(many)
      yield* trusts
      const path = write(
        "attic.json",
        JSON.stringify({
          host: "attic",
          guests: Object.fromEntries(many.map((_, index) => [`guest-${index}`, { description: "x".repeat(8_000) }]))
        })
      )
      const shown = yield* operator.felhom(["apply", "-f", path, "--dry-run", "--output", "json"])
      expect(JSON.parse(shown.out)).toMatchObject([{ node: "attic", same: false, untold: [], applied: null }])
      expect(JSON.parse(shown.out)[0].steps).toHaveLength(40)
      const done = yield* operator.felhom(["apply", "-f", path, "--yes", "--output", "json"])
      expect(done).toMatchObject({ code: 0, err: "" })
      expect(JSON.parse(done.out)).toMatchObject([{ applied: { entry: { applied: { version: 1 }, guests: 40 } } }])
      yield* host.reports(many)
      expect(yield* host.reports(many)).toMatchObject({ unchanged: true })
      expect(host.refused).toEqual([])
    }))

  it.scopedLive("has a file or a folder that can be read", () =>
    Effect.gen(function*() {
      const { host, operator, place, write } = yield* desiredWorld()
      yield* host.reports(guests)
      const asked = (path: string) =>
        Effect.map(operator.felhom(["apply", "-f", path]), ({ code, err }) => ({ code, err }))
      expect(yield* asked(`${place}/none.yaml`)).toMatchObject({
        code: 2,
        err: expect.stringContaining("can't be read")
      })
      expect(yield* asked(place)).toMatchObject({
        code: 2,
        err: expect.stringContaining("has no file that ends in .yaml, .yml or .json")
      })
      expect(yield* asked(write("long.yaml", "#".repeat(1024 * 1024 + 1)))).toMatchObject({
        code: 2,
        err: expect.stringContaining("is longer than 1048576 bytes")
      })
    }))

  it.scopedLive("prints the schema of its files for editors, without any hub", () =>
    Effect.gen(function*() {
      const { operator } = yield* desiredWorld()
      const { code, out } = yield* operator.felhom(["schema"], { environment: {} })
      expect(code).toBe(0)
      expect(JSON.parse(out)).toMatchObject({ title: "What the guests of felhom hosts should be" })
    }))
})
