import { describe, it } from "@effect/vitest"
import { DesiredSubmission } from "@felhom/domain/DesiredApi"
import { decodeDesired } from "@felhom/domain/DesiredDocument"
import { HostId } from "@felhom/domain/HostId"
import { backup } from "@felhom/hub/Backup"
import { DataFolder } from "@felhom/hub/DataFolder"
import * as DesiredBook from "@felhom/hub/DesiredBook"
import * as HostJudge from "@felhom/hub/HostJudge"
import { Ingest } from "@felhom/hub/Ingest"
import { restore } from "@felhom/hub/Restore"
import * as StoreEpoch from "@felhom/hub/StoreEpoch"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Clock, Effect, Either, Encoding, Layer, Schema, TestClock } from "effect"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { epochOne, epochTwo, from, hostA, hostB, inventory, report, wireReport } from "./ReportBuilder.ts"
import { storeLayer, storeOver } from "./TestStore.ts"

const host = HostId.make(hostA)
const bookOver = Layer.provideMerge(DesiredBook.layer, StoreEpoch.layer)
const services = Layer.provideMerge(bookOver, storeLayer)

const wish = (vmid: number, more: object = {}) => ({
  guest: {
    type: "lxc",
    identity: { hwaddrs: [`BC:24:11:00:00:${vmid % 100}`], volumes: [], smbiosUuid: null, key: null }
  },
  power: "running",
  ...more
})

const submission = (guests: ReadonlyArray<object>, more: object = {}): DesiredSubmission =>
  Schema.decodeUnknownSync(DesiredSubmission)({
    state: { guests },
    called: guests.map((_, index) => `guest ${index}`),
    after: 0,
    goodFor: 86_400,
    ...more
  })

const apply = (guests: ReadonlyArray<object>, more: object = {}, by = "anna") =>
  Effect.flatMap(DesiredBook.DesiredBook, (book) => book.apply(host, submission(guests, more), by))

const present = Effect.flatMap(DesiredBook.DesiredBook, (book) => book.present(host))

let sequence = 0

/** A report, and the envelope that answers it. */
const exchange = (more: { readonly [key: string]: unknown } = {}) =>
  Effect.gen(function*() {
    sequence += 1
    const made = { takenAt: yield* Clock.currentTimeMillis, sequence, ...more }
    const sent = report(made)
    const envelope = yield* (yield* Ingest).accept(sent, gzipSync(JSON.stringify(wireReport(made))))
    return yield* (yield* DesiredBook.DesiredBook).exchange(sent, envelope)
  })

const trust = (desired: unknown) => ({
  trust: { opEpoch: epochOne, storeSeq: 1, signers: null, policy: null, hold: null, desired }
})

/** A host that holds what it was given last, or nothing, and takes what comes. */
const makeHost = () => {
  let held: unknown = null
  return (more: { readonly [key: string]: unknown } = {}) =>
    Effect.map(exchange({ ...trust(held), ...more }), (envelope) => {
      if (envelope.desired === undefined) return { envelope, document: undefined }
      const bytes = Either.getOrThrow(Encoding.decodeBase64(envelope.desired))
      const document = Either.getOrThrow(decodeDesired(bytes))
      held = {
        epoch: document.epoch,
        version: document.version,
        sha256: createHash("sha256").update(bytes).digest("hex")
      }
      return { envelope, document }
    })
}

const concerns = Effect.map(
  Effect.flatMap(HostJudge.HostJudge, (judge) => judge.one(host)),
  (judged) => judged?.concerns.filter(({ cause }) => cause.startsWith("desired")) ?? []
)

const standing = Effect.map(
  Effect.flatMap(HostJudge.HostJudge, (judge) => judge.one(host)),
  (judged) => judged?.summary.desired
)

const hours = (count: number) => TestClock.adjust(`${count} hours`)

describe("what a host is wished to be", () => {
  it.scoped("goes to it until it says that it holds these very bytes, and then that there is nothing new", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_790_000_000_000)
      const reports = makeHost()
      expect((yield* reports()).envelope).not.toHaveProperty("unchanged")
      const applied = yield* apply([wish(101)])
      expect(applied).toMatchObject({
        entry: { applied: { version: 1, by: "anna" }, guests: 1, goodFor: 86_400 },
        published: { version: 1, hostEpoch: epochOne, epoch: yield* StoreEpoch.StoreEpoch }
      })
      const { document } = yield* reports()
      expect(document).toMatchObject({
        typ: "felhom/desired/v1",
        host: hostA,
        hostEpoch: epochOne,
        version: 1,
        issued: 1_790_000_000_000,
        expires: 1_790_000_000_000 + 86_400_000,
        state: { guests: [wish(101)] }
      })
      const { envelope } = yield* reports()
      expect(envelope).toMatchObject({ unchanged: true })
      expect(envelope).not.toHaveProperty("desired")
      // Another host has nothing to do with it, and neither has a one-off report.
      expect(yield* exchange({ ...trust(null), host: from(hostB) })).not.toHaveProperty("desired")
      expect(yield* exchange({ ...trust(null), sequence: null })).not.toHaveProperty("desired")
    }).pipe(Effect.provide(services)))

  it.scoped("is not given to an agent that takes none", () =>
    Effect.gen(function*() {
      yield* exchange()
      yield* apply([wish(101)])
      expect(yield* exchange()).not.toHaveProperty("desired")
      expect(yield* exchange({ trust: null })).not.toHaveProperty("desired")
    }).pipe(Effect.provide(services)))

  it.scoped("is renewed once half of its time is over, for as long as the host reports", () =>
    Effect.gen(function*() {
      const reports = makeHost()
      yield* reports()
      yield* apply([wish(101)])
      yield* reports()
      yield* hours(11)
      for (const inventory of [undefined, null, null]) {
        const { envelope } = yield* reports(inventory === undefined ? {} : { inventory })
        expect(envelope).toMatchObject({ unchanged: true })
      }
      yield* hours(1)
      const { document } = yield* reports({ inventory: null })
      expect(document).toMatchObject({ version: 2, issued: 12 * 3_600_000, expires: 36 * 3_600_000 })
      expect(yield* present).toMatchObject({
        entry: { applied: { version: 1, at: 0 } },
        published: { version: 2 }
      })
      // Nobody renews what nobody hears of, and a host that comes back after its time is given it anew.
      yield* hours(500)
      expect(yield* present).toMatchObject({ published: { version: 2 } })
      expect((yield* reports()).document).toMatchObject({ version: 3, issued: 512 * 3_600_000 })
      const log = yield* Effect.flatMap(DesiredBook.DesiredBook, (book) => book.log(host))
      expect(log).toHaveLength(1)
    }).pipe(Effect.provide(services)))

  it.scoped("survives the hub's restart", () =>
    Effect.gen(function*() {
      const reports = makeHost()
      yield* reports()
      yield* apply([wish(101)])
      yield* reports()
      const again = yield* Layer.build(Layer.fresh(DesiredBook.layer))
      expect((yield* Effect.provide(reports(), again)).envelope).toMatchObject({ unchanged: true })
      expect(yield* Effect.provide(present, again)).toMatchObject({ state: { guests: [wish(101)] } })
      expect((yield* Effect.provide(apply([wish(102)], { after: 1 }), again)).published.version).toBe(2)
    }).pipe(Effect.provide(services)))

  it.scoped("takes two people to overwrite unseen: the second is told who was quicker, and nothing is lost", () =>
    Effect.gen(function*() {
      yield* exchange()
      yield* apply([wish(101)])
      yield* apply([wish(101), wish(102)], { after: 1 }, "bert")
      const error = yield* Effect.flip(apply([wish(103)], { after: 1 }))
      expect(error).toMatchObject({
        _tag: "HubConflict",
        message: expect.stringContaining("since then bert applied version 2 (1970-01-01 00:00 UTC)")
      })
      const unseen = yield* Effect.flip(apply([wish(103)]))
      expect(unseen.message).toContain("nothing was wished for it when you looked")
      const both = yield* Effect.all([
        Effect.either(apply([wish(104)], { after: 2 }, "anna")),
        Effect.either(apply([wish(105)], { after: 2 }, "bert"))
      ], { concurrency: 2 })
      expect(both.flatMap((one) => Either.isLeft(one) ? [one.left._tag] : [])).toEqual(["HubConflict"])
      expect(yield* present).toMatchObject({ entry: { applied: { version: 3 } } })
    }).pipe(Effect.provide(services)))

  it.scoped("that is applied once more is left as it is, and a renewal between is no conflict", () =>
    Effect.gen(function*() {
      const reports = makeHost()
      yield* reports()
      yield* apply([wish(101, { cores: 2, memory: 512 })])
      yield* hours(20)
      yield* reports()
      const again = yield* apply([wish(101, { memory: 512, cores: 2 })], { after: 1 }, "bert")
      expect(again).toMatchObject({ entry: { applied: { version: 1, by: "anna" } }, published: { version: 2 } })
      expect(yield* apply([wish(101)], { after: 1 })).toMatchObject({ entry: { applied: { version: 3 } } })
    }).pipe(Effect.provide(services)))

  it.scoped("says for each guest since when exactly this is wished for it, and by whom", () =>
    Effect.gen(function*() {
      yield* exchange()
      yield* apply([wish(101), wish(102)], { reason: "the house" })
      yield* hours(1)
      yield* apply([wish(102), wish(101, { cores: 2 })], { after: 1, reason: "more cores" }, "bert")
      expect((yield* present)?.wishes).toEqual([
        { called: "guest 0", since: { version: 1, by: "anna", at: 0 } },
        { called: "guest 1", since: { version: 2, by: "bert", at: 3_600_000 } }
      ])
      const log = yield* Effect.flatMap(DesiredBook.DesiredBook, (book) => book.log(host))
      expect(log).toMatchObject([
        { applied: { version: 2, by: "bert" }, reason: "more cores" },
        { applied: { version: 1, by: "anna" }, reason: "the house" }
      ])
    }).pipe(Effect.provide(services)))

  it.scoped("is nothing only by an explicit word, which the host is told, too", () =>
    Effect.gen(function*() {
      const reports = makeHost()
      yield* reports()
      yield* apply([wish(101)])
      const error = yield* Effect.flip(apply([], { after: 1 }))
      expect(error.message).toContain("--allow-empty")
      yield* apply([], { after: 1, allowEmpty: true })
      expect((yield* reports()).document).toMatchObject({ version: 2, allowEmpty: true, state: { guests: [] } })
    }).pipe(Effect.provide(services)))

  it.scoped("is for a host that has reported, and not larger than a host takes", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(apply([wish(101)]))).toMatchObject({ _tag: "HubNotFound" })
      yield* exchange()
      const long = Array.from({ length: 200 }, (_, index) =>
        wish(100 + index, {
          guest: { type: "lxc", identity: { hwaddrs: [], volumes: [`s:${index}`], smbiosUuid: null, key: null } },
          description: "x".repeat(8000)
        }))
      expect(yield* Effect.flip(apply(long))).toMatchObject({
        _tag: "HubConflict",
        message: expect.stringContaining("1048576")
      })
    }).pipe(Effect.provide(services)))

  it.scoped("is made anew for a host whose own stores were made anew, and not by a report of before", () =>
    Effect.gen(function*() {
      const reports = makeHost()
      yield* reports()
      yield* apply([wish(101)])
      yield* reports()
      const renewed = { ...report().host, epoch: epochTwo }
      const { document } = yield* reports({ ...trust(null), host: renewed })
      expect(document).toMatchObject({ version: 2, hostEpoch: epochTwo })
      yield* reports()
      expect(yield* present).toMatchObject({ published: { version: 2, hostEpoch: epochTwo } })
    }).pipe(Effect.provide(services)))

  it.scoped("is closed: what the hub does not know is refused, as is a list of names that does not fit", () =>
    Effect.sync(() => {
      const refused = (more: object) =>
        Either.isLeft(
          Schema.decodeUnknownEither(DesiredSubmission)({
            state: { guests: [wish(101)] },
            called: ["a"],
            after: 0,
            goodFor: 86_400,
            ...more
          })
        )
      expect(refused({})).toBe(false)
      expect(refused({ force: true })).toBe(true)
      expect(refused({ state: { guests: [wish(101, { destroy: true })] } })).toBe(true)
      expect(refused({ called: [] })).toBe(true)
      expect(refused({ goodFor: 60 })).toBe(true)
    }))
})

describe("a host that stands badly to what is wished for it", () => {
  const status = (more: object) => ({
    inventory: inventory({
      desired: { epoch: epochOne, version: 1, stale: false, drift: [], blocked: [], ...more }
    })
  })

  it.scoped("is shown with what differs and what is blocked, and calls for a person when that lasts", () =>
    Effect.gen(function*() {
      const reports = makeHost()
      expect(yield* standing).toBeUndefined()
      yield* reports()
      expect(yield* standing).toBeNull()
      yield* apply([wish(101)])
      yield* reports()
      const blocked = [{ subject: "lxc/101", reason: "it does not shut down" }]
      yield* reports(status({ drift: [{ subject: "lxc/101", reason: "it runs" }], blocked }))
      expect(yield* standing).toEqual({ version: 1, latest: 1, stale: false, drift: 1, blocked: 1 })
      // Something else that is blocked meanwhile changes nothing of since when.
      yield* hours(12)
      yield* reports(status({ drift: [{ subject: "lxc/101", reason: "it still runs" }], blocked }))
      // A report without an inventory says nothing new of it.
      yield* hours(11)
      yield* reports({ inventory: null })
      yield* reports({ inventory: null })
      expect(yield* concerns).toEqual([])
      yield* hours(1)
      yield* reports({ inventory: null })
      expect(yield* concerns).toEqual([{
        cause: "desired.blocked",
        severity: "warning",
        sentence: "1 of what is wished for it is blocked for more than a day: lxc/101: it does not shut down"
      }])
      yield* reports(status({}))
      expect(yield* concerns).toEqual([])
      expect(yield* standing).toMatchObject({ drift: 0, blocked: 0 })
    }).pipe(Effect.provide(services)))

  it.scoped("calls for a person when it begins nothing new because what it has ran out", () =>
    Effect.gen(function*() {
      const reports = makeHost()
      yield* reports(status({ stale: true }))
      expect(yield* concerns).toEqual([])
      yield* hours(1)
      yield* reports(status({ stale: true }))
      expect(yield* concerns).toMatchObject([
        { cause: "desired.stale", sentence: expect.stringContaining("nothing is published for it here") }
      ])
      yield* apply([wish(101)])
      yield* reports(status({ stale: true }))
      expect(yield* concerns).toMatchObject([
        { cause: "desired.stale", sentence: expect.stringContaining("felhom desired show") }
      ])
      expect(yield* standing).toMatchObject({ stale: true })
    }).pipe(Effect.provide(services)))

  it.scoped("calls for a person when it does not take what it is given for a quarter of an hour", () =>
    Effect.gen(function*() {
      yield* exchange(trust(null))
      yield* apply([wish(101)])
      yield* exchange(trust(null))
      yield* TestClock.adjust("14 minutes")
      yield* exchange(trust(null))
      expect(yield* concerns).toEqual([])
      yield* TestClock.adjust("1 minute")
      yield* exchange(trust(null))
      expect(yield* concerns).toMatchObject([{ cause: "desired.untaken" }])
    }).pipe(Effect.provide(services)))

  it.scoped("that has a later version than this hub is not given an older one, until somebody applies above it", () =>
    Effect.gen(function*() {
      const epoch = yield* StoreEpoch.StoreEpoch
      const later = trust({ epoch, version: 7, sha256: "f".repeat(64) })
      yield* exchange(trust(null))
      yield* apply([wish(101)])
      expect(yield* exchange(later)).not.toHaveProperty("desired")
      yield* hours(1)
      yield* exchange(later)
      expect(yield* concerns).toMatchObject([{ cause: "desired.set-back" }])
      expect((yield* apply([wish(102)], { after: 1 })).published.version).toBe(8)
      expect(yield* exchange(later)).toHaveProperty("desired")
    }).pipe(Effect.provide(services)))
})

describe("a hub that was restored from a backup", () => {
  it.scoped("publishes what was wished then under its new epoch, and says what a host is to sign for that", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-desired-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const [data, to, restored] = [join(folder, "data"), join(folder, "hub.backup"), join(folder, "restored")]
      const hubOn = (path: string) =>
        Layer.provideMerge(bookOver, storeOver).pipe(
          Layer.provide(Layer.merge(DataFolder.layer(path), NodeCrypto.layer))
        )
      const reports = makeHost()
      const epoch = yield* Effect.gen(function*() {
        yield* reports()
        yield* apply([wish(101)])
        yield* reports()
        yield* backup({ data, to, force: false })
        return yield* StoreEpoch.StoreEpoch
      }).pipe(Effect.provide(hubOn(data)))
      expect(existsSync(to)).toBe(true)
      yield* Effect.provide(restore({ from: to, data: restored }), NodeCrypto.layer)
      yield* Effect.gen(function*() {
        const held = trust({ epoch, version: 1, sha256: "f".repeat(64) })
        const { document } = yield* reports(held)
        expect(document).toMatchObject({ version: 2, state: { guests: [wish(101)] } })
        expect(document?.epoch).toBe(yield* StoreEpoch.StoreEpoch)
        expect(document?.epoch).not.toBe(epoch)
        expect(yield* present).toMatchObject({ entry: { applied: { version: 1, by: "anna" } } })
        yield* hours(1)
        yield* exchange(held)
        expect(yield* concerns).toMatchObject([
          { cause: "desired.epoch", sentence: expect.stringContaining("felhom op desired.accept_epoch") }
        ])
      }).pipe(Effect.provide(hubOn(restored)))
    }))
})
