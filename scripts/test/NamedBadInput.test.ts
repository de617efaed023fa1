import { describe, it } from "@effect/vitest"
import type { Envelope } from "@felhom/domain/Envelope"
import { Deferred, Effect, Encoding, Schema } from "effect"
import { expect } from "vitest"
import { golden, goldenConfig, template, worldWith } from "../../packages/reconciler/test/make/MakeHost.ts"
import { onHost, type WishedHost, wishedHost } from "./WishedHost.ts"

/** The recorded host's guests. */
const tiny = 9999
const future = 102
const machine = 200

const Told = Schema.parseJson(Schema.Struct({
  drift: Schema.Array(Schema.String),
  blocked: Schema.Array(Schema.String),
  events: Schema.Array(Schema.Struct({ kind: Schema.String, message: Schema.String }))
}))

/** What `felhom why` has of a guest. */
const why = (at: WishedHost, guest: string) =>
  Effect.gen(function*() {
    const { err, out } = yield* at.felhom("why", at.sim.node, guest, "--output", "json")
    if (out === "") return yield* Effect.die(err)
    return yield* Effect.orDie(Schema.decodeUnknown(Told)(out))
  })

/** It is one line of the agent's log, and one line of `felhom why`, however many cycles there were. */
const toldOnce = (at: WishedHost, guest: string, kind: string, words: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const isIt = (text: string): boolean => words.every((word) => text.includes(word))
    const { blocked, events } = yield* why(at, guest)
    const shown = `${JSON.stringify(words)} in ${JSON.stringify({ log: at.logged, blocked, events }, null, 1)}`
    expect(at.logged.filter(isIt), shown).toHaveLength(1)
    expect(events.filter(({ message }) => isIt(message)).map((event) => event.kind), shown).toEqual([kind])
    return blocked.filter(isIt).length
  })

const applied = (at: WishedHost, guests: string) =>
  Effect.map(at.apply(guests), ({ code, err }) => expect({ code, err }).toEqual({ code: 0, err: "" }))

/** Nothing was applied, and the file's author is told what, where, and what to do. */
const refusedFile = (at: WishedHost, guests: string, ...lines: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { code, err } = yield* at.apply(guests)
    expect({ code, lines: err.split("\n").map((line) => line.replace(/^.*\/wishes/, "wishes")) }).toEqual({
      code: 2,
      lines: [
        ...lines,
        `${lines.length} ${lines.length === 1 ? "problem" : "problems"} in the files; nothing was applied to any host`
      ]
    })
    expect((yield* at.felhom("desired", "log", at.sim.node)).out).toContain("nothing was ever applied")
  })

const isAsWished = (at: WishedHost, guest: string) =>
  Effect.map(why(at, guest), ({ blocked, drift }) => expect({ blocked, drift }).toEqual({ blocked: [], drift: [] }))

/** The hub's document, as somebody on the way would change it. */
const otherDocument =
  (change: (document: { readonly [key: string]: unknown }) => object) => (envelope: Envelope): Envelope =>
    envelope.desired === undefined ? envelope : {
      ...envelope,
      desired: Encoding.encodeBase64(
        JSON.stringify(change(JSON.parse(Buffer.from(envelope.desired, "base64").toString("utf8"))))
      )
    }

const key = "0123456789abcdef".repeat(2)
const newGuest = (image: string): string =>
  `shop: { power: running, make: { image: ${image}, storage: ctstore, key: ${key} }, nets: { net0: { bridge: vmbr0 } } }`
const making = { bridges: ["vmbr0"], storages: ["ctstore"] }

describe("a desired state", () => {
  it.scoped("for another host is not taken, and the one that is for this host is", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* applied(at, "tiny: { cores: 2 }")
      yield* at.intercept(otherDocument((document) => ({ ...document, host: "f".repeat(32) })))
      yield* at.turns(3)
      expect(yield* at.writes).toEqual([])
      yield* toldOnce(at, "tiny", "desired.refused", [
        "desired state refused (other-host)",
        `it is for the host ${"f".repeat(32)}`,
        "find out why the hub sends it to this host"
      ])
      expect((yield* at.felhom("why", at.sim.node, "tiny")).out).toContain("host      it has taken none yet")
      yield* at.intercept((envelope) => envelope)
      yield* at.turns(3)
      yield* isAsWished(at, "tiny")
    }).pipe(Effect.provide(onHost())))

  it.scoped("of a newer schema is not taken, in whole or in part, and the last good one stands", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* applied(at, "tiny: { cores: 2 }")
      yield* at.turns(3)
      const writes = yield* at.writes
      expect(writes).toHaveLength(1)
      yield* applied(at, "tiny: { cores: 1, memory: 256 }")
      yield* at.intercept(otherDocument((document) => ({ ...document, typ: "felhom/desired/v2" })))
      yield* at.turns(3)
      yield* toldOnce(at, "tiny", "desired.refused", [
        "felhom/desired/v2",
        "this version knows felhom/desired/v1",
        "update the agent"
      ])
      yield* at.intercept(otherDocument((document) => ({
        ...document,
        state: { guests: [{ ...(document["state"] as { guests: ReadonlyArray<object> }).guests[0], gpu: "pass" }] }
      })))
      yield* at.turns(3)
      yield* toldOnce(at, "tiny", "desired.refused", ["refused (schema)", "state.guests.0.gpu", "update the agent"])
      expect(yield* at.writes).toEqual(writes)
      // What somebody changes by hand is put right by the one that stands.
      yield* at.change({ _tag: "guest.set", vmid: tiny, key: "cores", value: "4" })
      yield* at.turns(3)
      expect(yield* at.writes).toHaveLength(2)
      yield* at.intercept((envelope) => envelope)
      yield* at.turns(3)
      yield* isAsWished(at, "tiny")
    }).pipe(Effect.provide(onHost())))
})

describe("a file of wishes", () => {
  it.scoped("of a newer schema is not applied, and its author is told the place and which felhom this is", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* refusedFile(
        at,
        "tiny: { power: running, gpu: pass }",
        expect.stringMatching(
          /^wishes\.yaml:3:27: guests\.tiny\.gpu: "gpu" is not known here; if a newer felhom knows it, update this one \(felhom --version\); known are power, make, /
        )
      )
      expect(yield* at.writes).toEqual([])
    }).pipe(Effect.provide(onHost())))

  it.scoped("that wishes for a container where a virtual machine is, is not applied", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* refusedFile(
        at,
        `lxc/${machine}: { power: running }`,
        `wishes.yaml:3:3: guests.lxc/200: on demo-felhom: 200 is a virtual machine there (qemu/200), and a container is wished for`
      )
    }).pipe(Effect.provide(onHost())))

  it.scoped("that names one of two guests with one name is not applied before it says which", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* at.change({ _tag: "guest.set", vmid: future, key: "hostname", value: "tiny" })
      yield* at.turns(2)
      yield* refusedFile(
        at,
        "tiny: { cores: 2 }",
        "wishes.yaml:3:3: guests.tiny: on demo-felhom: 2 guests of the host are called that: lxc/102 and lxc/9999; name each by its number"
      )
      yield* applied(at, `lxc/${tiny}: { cores: 2 }`)
      yield* at.turns(3)
      expect(yield* at.writes).toEqual([`PUT /lxc/${tiny}/config`])
    }).pipe(Effect.provide(onHost())))

  it.scoped("that would take protection away is not applied", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* refusedFile(at, "tiny: { protection: false }", expect.stringMatching(/^wishes\.yaml:3:11: .*protection/))
    }).pipe(Effect.provide(onHost())))
})

describe("a wish is not done, nothing is half-done, and one line says why, where and what next:", () => {
  const refused = (
    name: string,
    options: {
      readonly host?: Parameters<typeof onHost>[0]
      /** How the host is when the wish is applied. */
      readonly before?: (at: WishedHost) => Effect.Effect<unknown, unknown>
      readonly guest?: string
      readonly wish: string
      /** What somebody has done since. */
      readonly since?: (at: WishedHost) => Effect.Effect<unknown, unknown>
      readonly kind?: string
      readonly told: ReadonlyArray<string>
      /** What puts it right. */
      readonly mended?: (at: WishedHost) => Effect.Effect<unknown, unknown>
    }
  ) =>
    it.scoped(name, () =>
      Effect.gen(function*() {
        const { before, guest = "tiny", kind = "desired.blocked", mended, since, told, wish } = options
        const at = yield* wishedHost
        if (before !== undefined) yield* before(at)
        yield* at.turns(2)
        yield* applied(at, wish)
        if (since !== undefined) yield* since(at)
        yield* at.turns(4)
        expect(yield* at.writes).toEqual([])
        expect(yield* toldOnce(at, guest, kind, told)).toBe(1)
        if (mended === undefined) return
        yield* mended(at)
        yield* at.turns(5)
        yield* isAsWished(at, guest)
      }).pipe(Effect.provide(onHost(options.host))))

  const put = (vmid: number, name: string, value: string | null) => (at: WishedHost) =>
    at.change({ _tag: "guest.set", vmid, key: name, value })

  refused("a vmid that is a virtual machine by now, where a container is wanted", {
    wish: "tiny: { power: running }",
    since: (at) =>
      Effect.zipRight(
        at.change({ _tag: "guest.destroy", vmid: tiny }),
        at.change({
          _tag: "guest.create",
          vmid: tiny,
          type: "qemu",
          config: { name: "tiny", memory: "512", net0: "virtio=BC:24:11:E0:7E:97,bridge=vmbr0" }
        })
      ),
    told: ["VM 9999 is what has its network addresses or volumes, and a CT is wished for", "name it anew"]
  })

  refused("a name that another guest has", {
    wish: "tiny: { name: future }",
    told: ["CT 9999 (tiny)", "more than one guest of this host would be called future; wish for another name"],
    mended: put(future, "hostname", "past")
  })

  refused("a missing template", {
    before: (at) => at.policy({ ...making, images: { debian: "local:vztmpl/gone.tar.gz" } }),
    guest: "shop",
    wish: newGuest("debian"),
    told: ["new CT (shop)", "the image debian is not on this host: there is no local:vztmpl/gone.tar.gz; put it there"],
    mended: (at) => at.policy({ ...making, images: { debian: template } })
  })

  refused("memory below use", {
    before: (at) => at.change({ _tag: "guest.status", vmid: tiny, status: "running" }),
    wish: "tiny: { memory: 16 }",
    told: [
      "CT 9999 (tiny)",
      "memory can't be as wished: 128 -> 16",
      "would leave it too little: free memory in it, or shut it down first"
    ],
    mended: (at) => at.change({ _tag: "guest.status", vmid: tiny, status: "stopped" })
  })

  refused("a guest locked for hours", {
    before: put(tiny, "lock", "backup"),
    wish: "tiny: { cores: 2 }",
    since: (at) => Effect.repeatN(Effect.zipRight(at.alone(2), at.later(1)), 5),
    kind: "desired.waiting",
    told: ["CT 9999 (tiny): change cores: 1 -> 2", "holds it locked (backup)", "pct unlock 9999"],
    mended: put(tiny, "lock", null)
  })

  refused("power of an HA-managed guest", {
    before: (at) => at.change({ _tag: "guest.ha", vmid: tiny, state: "stopped" }),
    wish: "tiny: { power: running }",
    told: ["CT 9999 (tiny)", "the HA manager looks after it (stopped)", "ha-manager set ct:9999 --state started"],
    mended: (at) => at.change({ _tag: "guest.ha", vmid: tiny, state: null })
  })

  refused("a guest that another node of the cluster owns", {
    host: { nodes: 2 },
    wish: "tiny: { power: running }",
    since: (at) => at.change({ _tag: "guest.moved", vmid: tiny, node: "demo-felhom-2" }),
    told: ["it seems to be on the node demo-felhom-2 now: wish for it there, in a file that names that host"]
  })

  refused("a guest that was restored by half", {
    before: put(tiny, "lock", "create"),
    wish: "tiny: { power: running }",
    told: ["locked (create): it was made or restored by half", "pct destroy 9999", "pct unlock 9999"],
    mended: put(tiny, "lock", null)
  })

  const gib = 1024 ** 3
  const pool = {
    vg: "pve",
    lv: "data",
    lv_size: 100 * gib,
    used: 10 * gib,
    metadata_size: gib,
    metadata_used: gib / 10,
    ctime: 0
  }
  const host = { world: worldWith(goldenConfig, (world) => ({ ...world, thin_pools: [pool] })) }
  const onThin = (data: number, metadata: number) => (at: WishedHost) =>
    Effect.gen(function*() {
      const config = { type: "lvmthin", vgname: "pve", thinpool: "data", content: "images,rootdir" }
      yield* at.change({ _tag: "storage.set", storage: "thin", config })
      yield* at.change({
        _tag: "guest.create",
        vmid: 300,
        type: "lxc",
        config: { storage: "thin", hostname: "thin", net0: "name=eth0,bridge=vmbr0" }
      })
      yield* at.change({ _tag: "storage.size", storage: "thin", total: 100 * gib, avail: (100 - data) * gib })
      yield* at.change({ _tag: "storage.metadata", storage: "thin", used: Math.floor((metadata / 100) * gib) })
    })

  refused("a thin pool at 97 % of its data", {
    host,
    before: onThin(97, 10),
    guest: "thin",
    wish: "thin: { volumes: { rootfs: 20 } }",
    kind: "desired.waiting",
    told: ["CT 300 (thin): grow rootfs", "thin would have less than 10 % free: 3.0 GiB of 100.0 GiB are", "make room"],
    mended: (at) => at.change({ _tag: "storage.size", storage: "thin", total: 100 * gib, avail: 60 * gib })
  })

  refused("a thin pool at 97 % of its metadata", {
    host,
    before: onThin(10, 97),
    guest: "thin",
    wish: "thin: { volumes: { rootfs: 20 } }",
    kind: "desired.waiting",
    told: ["the metadata of the thin pool thin is more than 80 % full", "lvextend --poolmetadatasize"],
    mended: (at) => at.change({ _tag: "storage.metadata", storage: "thin", used: gib / 10 })
  })
})

describe("what is in the way of a wish is waited for, or told, and the rest is done:", () => {
  it.scoped("a digest conflict with a person in the web UI", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* applied(at, "tiny: { cores: 2 }")
      let edits = 0
      yield* at.meddle((handle) => (request) =>
        request.method === "GET" || edits > 2 ? handle(request) : Effect.suspend(() => {
          edits += 1
          const edit = { _tag: "guest.set", vmid: tiny, key: "description", value: `edit ${edits}` } as const
          return Effect.zipRight(Effect.orDie(at.change(edit)), handle(request))
        })
      )
      // Each try is told, and when the next one is.
      yield* at.turns(1)
      expect(at.logged.filter((line) => line.includes("somebody changed it in between"))).toEqual([
        expect.stringMatching(/^waits: CT 9999 \(tiny\): change cores: 1 -> 2: .*; it is tried again$/)
      ])
      yield* at.turns(12)
      yield* isAsWished(at, "tiny")
      expect(edits).toBe(3)
    }).pipe(Effect.provide(onHost())))

  it.scoped("protection on: the guest is started and changed, and stays protected", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* at.change({ _tag: "guest.set", vmid: tiny, key: "protection", value: "1" })
      yield* at.turns(2)
      yield* applied(at, "tiny: { power: running, cores: 2, protection: true }")
      yield* at.turns(3)
      yield* isAsWished(at, "tiny")
      expect(yield* at.writes).toEqual([`PUT /lxc/${tiny}/config`, `POST /lxc/${tiny}/status/start`])
    }).pipe(Effect.provide(onHost())))

  it.scoped("a pool without rights: the guest in it is left, with the line that gives the right; the other is done", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      const holders = [["user", "felhom-agent@pve"], ["token", "felhom-agent@pve!agent"]] as const
      yield* at.change({ _tag: "pool.change", poolid: "home", leave: false, vms: [future], storages: [] })
      for (const [type, ugid] of holders) {
        yield* at.change({ _tag: "acl.remove", path: "/", ugid })
        yield* at.change({ _tag: "acl.add", entry: { path: "/", type, ugid, roleid: "PVEAuditor", propagate: 1 } })
        yield* at.change({
          _tag: "acl.add",
          entry: { path: "/pool/home", type, ugid, roleid: "FelhomAgent", propagate: 1 }
        })
      }
      yield* applied(at, `tiny: { cores: 2 }\nfuture: { description: the family's }`)
      yield* at.turns(3)
      yield* isAsWished(at, "future")
      // Each try is told, then why it is not tried any sooner.
      const { blocked, events } = yield* why(at, "tiny")
      const lacks =
        "the token lacks one of VM.Config.Disk, VM.Config.CPU, .* on /vms/9999.* pveum acl modify /vms/9999 "
      for (const said of [at.logged, events.map(({ message }) => message)]) {
        expect(said.filter((text) => text.startsWith("failed: CT 9999 (tiny): change cores: 1 -> 2: "))).toEqual([
          expect.stringMatching(lacks),
          expect.stringMatching(lacks)
        ])
      }
      expect([...blocked, at.logged.at(-1)]).toEqual([
        expect.stringMatching(`^waits: CT 9999 .*it was tried 2 times of late: .*${lacks}.*it is tried again at 20`)
      ])
      for (const [type, ugid] of holders) {
        yield* at.change({ _tag: "acl.add", entry: { path: "/", type, ugid, roleid: "FelhomAgent", propagate: 1 } })
      }
      yield* at.turns(20)
      yield* isAsWished(at, "tiny")
    }).pipe(Effect.provide(onHost())))

  it.scoped("a power failure that leaves a guest restored by half: none is made beside it, and it is told", () =>
    Effect.gen(function*() {
      const at = yield* wishedHost
      yield* at.policy({ ...making, images: { golden } })
      yield* applied(at, newGuest("golden"))
      // The restore has begun, and its answer never comes.
      const dark = yield* Deferred.make<void>()
      yield* at.meddle((handle) => (request) =>
        request.method === "GET" ? handle(request) : handle(request).pipe(
          Effect.zipRight(Effect.sleep("100 millis")),
          Effect.zipRight(Effect.orDie(at.change({ _tag: "node.reboot" }))),
          Effect.zipRight(Deferred.succeed(dark, undefined)),
          Effect.zipRight(Effect.never)
        )
      )
      yield* at.crash(Effect.zipRight(Deferred.await(dark), at.meddle((handle) => handle)))
      yield* at.turns(6)
      expect(yield* at.writes).toEqual(["POST /lxc"])
      yield* toldOnce(at, "shop", "desired.unknown", [
        "CT 100 was made by half and is locked (create), which no token can clear",
        "root does on the host: pct unlock 100 && pct destroy 100"
      ])
      expect(yield* toldOnce(at, "shop", "desired.blocked", ["new CT (shop)", "made it before, in whole or by half"]))
        .toBe(1)
      // Root clears it away; under another key another one is made.
      yield* at.change({ _tag: "guest.destroy", vmid: 100 })
      yield* applied(at, newGuest("golden").replace(key, key.replace("0", "f")))
      yield* at.turns(4)
      yield* isAsWished(at, "shop")
    }).pipe(Effect.provide(onHost({ world: worldWith(goldenConfig) }))))
})
