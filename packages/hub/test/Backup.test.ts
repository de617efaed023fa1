import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { backup } from "@felhom/hub/Backup"
import { DataFolder } from "@felhom/hub/DataFolder"
import * as EnrolmentTokens from "@felhom/hub/EnrolmentTokens"
import * as HostStore from "@felhom/hub/HostStore"
import * as HubIdentity from "@felhom/hub/HubIdentity"
import { Ingest } from "@felhom/hub/Ingest"
import { restore } from "@felhom/hub/Restore"
import * as StoreEpoch from "@felhom/hub/StoreEpoch"
import { TokenStore } from "@felhom/hub/TokenStore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Effect, Layer, Option } from "effect"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { event, hostA, report, wireReport } from "./ReportBuilder.ts"
import { storeOver } from "./TestStore.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-backup-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A hub on this folder, without its server. */
const hubOn = (path: string) =>
  Layer.mergeAll(StoreEpoch.layer, EnrolmentTokens.layer, HubIdentity.layer("localhost")).pipe(
    Layer.provideMerge(storeOver),
    Layer.provide(Layer.merge(DataFolder.layer(path), NodeCrypto.layer))
  )

const accept = (sequence: number, numbers: ReadonlyArray<number>, more: { readonly [key: string]: unknown } = {}) => {
  const made = { sequence, events: numbers.map((number) => event(number)), ...more }
  return Effect.flatMap(Ingest, (ingest) => ingest.accept(report(made), gzipSync(JSON.stringify(wireReport(made)))))
}

const shown = Effect.map(Effect.flatMap(HostStore.HostStore, (hosts) => hosts.list), ([host]) => host)

const world = Effect.map(folder, (path) => ({
  data: join(path, "data"),
  file: join(path, "hub.backup"),
  restored: join(path, "restored"),
  path
}))

const restoring = (from: string, data: string) => Effect.provide(restore({ from, data }), NodeCrypto.layer)

describe("a backup", () => {
  it.scoped("is taken beside a running hub, is a secret in one file, and says what is in it", () =>
    Effect.gen(function*() {
      const { data, file, path } = yield* world
      yield* Effect.gen(function*() {
        yield* accept(1, [1, 2])
        const tokens = yield* TokenStore
        yield* tokens.create("viewer", "me")
        const made = yield* backup({ data, to: file, force: false })
        expect(made).toMatchObject({ path: file, hosts: 1, events: 2, tokens: 1, keys: 0, tlsKey: true })
        expect(made.storeEpoch).toBe(yield* StoreEpoch.StoreEpoch)
        expect(made.bytes).toBe(statSync(file).size)
        // The hub goes on as if nothing had happened.
        expect((yield* accept(2, [3])).acked).toBe(3)
      }).pipe(Effect.provide(hubOn(data)))
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(readdirSync(path).toSorted()).toEqual(["data", "hub.backup"])
    }))

  it.scoped("never takes the place of another file, unless it is told to", () =>
    Effect.gen(function*() {
      const { data, file } = yield* world
      writeFileSync(file, "mine")
      yield* Effect.gen(function*() {
        const refused = yield* Effect.flip(backup({ data, to: file, force: false }))
        expect(refused.message).toContain("--force")
        expect(readFileSync(file, "utf8")).toBe("mine")
        yield* backup({ data, to: file, force: true })
      }).pipe(Effect.provide(hubOn(data)))
      expect(readFileSync(file).subarray(0, 6).toString()).toBe("SQLite")
    }))

  it.scoped("of a folder without a store is none", () =>
    Effect.gen(function*() {
      const { data, file } = yield* world
      expect((yield* Effect.flip(backup({ data, to: file, force: false }))).reason).toBe("no-store")
      expect(existsSync(data)).toBe(false)
      expect(existsSync(file)).toBe(false)
    }))
})

describe("a restored hub", () => {
  it.scoped("is the same to all pins, has a new epoch, and takes what hosts report from then on", () =>
    Effect.gen(function*() {
      const { data, file, restored } = yield* world
      const before = yield* Effect.gen(function*() {
        yield* accept(1, [1, 2])
        const tokens = yield* TokenStore
        const { row } = yield* tokens.create("admin", "stolen laptop")
        const enrolments = yield* EnrolmentTokens.EnrolmentTokens
        yield* enrolments.create(2, "", 48)
        yield* backup({ data, to: file, force: false })
        // What follows, the backup knows nothing of.
        yield* tokens.revoke(row.hash)
        expect((yield* accept(2, [3, 4, 5])).acked).toBe(5)
        return {
          epoch: yield* StoreEpoch.StoreEpoch,
          fingerprint: (yield* HubIdentity.HubIdentity).leafSha256,
          token: row.hash.slice(0, 12)
        }
      }).pipe(Effect.provide(hubOn(data)))

      const summary = yield* restoring(file, restored)
      expect(summary).toMatchObject({
        fingerprint: before.fingerprint,
        liveTokens: [{ id: before.token, label: "stolen laptop", role: "admin" }],
        revokedEnrolmentTokens: 2
      })
      expect(summary.storeEpoch).not.toBe(before.epoch)
      expect(statSync(restored).mode & 0o777).toBe(0o700)
      expect(statSync(join(restored, "tls-key.pem")).mode & 0o777).toBe(0o600)

      yield* Effect.gen(function*() {
        expect(yield* StoreEpoch.StoreEpoch).toBe(summary.storeEpoch)
        expect((yield* HubIdentity.HubIdentity).leafSha256).toBe(before.fingerprint)
        expect((yield* (yield* EnrolmentTokens.EnrolmentTokens).list).map(({ state }) => state)).toEqual([
          "revoked",
          "revoked"
        ])
        // An agent with nothing to tell forgot 3 to 5 long ago.
        expect((yield* accept(3, [])).acked).toBe(2)
        expect((yield* accept(4, [6, 7])).acked).toBe(7)
        expect(yield* shown).toMatchObject({ events: 4, eventsMissing: 0, eventsBeforeRestore: 3 })
        // From then on a gap is a gap again.
        expect((yield* accept(5, [9])).acked).toBe(7)
        expect(yield* shown).toMatchObject({ events: 5, eventsMissing: 1, eventsBeforeRestore: 3 })
        const events = yield* Effect.flatMap(HostStore.HostStore, (hosts) => hosts.events(HostId.make(hostA), 0, 100))
        expect(Option.getOrThrow(events).map(({ seq }) => seq)).toEqual([1, 2, 6, 7, 9])
      }).pipe(Effect.provide(hubOn(restored)))
    }))

  it.scoped("counts nothing apart when nothing was reported between backup and restore", () =>
    Effect.gen(function*() {
      const { data, file, restored } = yield* world
      yield* Effect.provide(
        Effect.zipRight(accept(1, [1, 2]), backup({ data, to: file, force: false })),
        hubOn(data)
      )
      yield* restoring(file, restored)
      yield* Effect.gen(function*() {
        expect((yield* accept(2, [2, 3])).acked).toBe(3)
        expect(yield* shown).toMatchObject({ events: 3, eventsMissing: 0, eventsBeforeRestore: 0 })
      }).pipe(Effect.provide(hubOn(restored)))
    }))
})

describe("a restore refuses", () => {
  const made = Effect.gen(function*() {
    const paths = yield* world
    yield* Effect.provide(
      Effect.zipRight(accept(1, [1]), backup({ data: paths.data, to: paths.file, force: false })),
      hubOn(paths.data)
    )
    return paths
  })

  it.scoped("a folder that holds anything, and leaves it as it is", () =>
    Effect.gen(function*() {
      const { data, file, path } = yield* made
      expect((yield* Effect.flip(restoring(file, data))).reason).toBe("in-use")
      const other = join(path, "other")
      mkdirSync(other)
      writeFileSync(join(other, "x"), "")
      expect((yield* Effect.flip(restoring(file, other))).reason).toBe("in-use")
      expect(readdirSync(other)).toEqual(["x"])
    }))

  it.scoped.each(
    [
      ["cut short", (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
      ["something else", (file: string) => writeFileSync(file, "a text")],
      ["empty", (file: string) => truncateSync(file, 0)]
    ] as const
  )("a file that is %s, and leaves nothing behind", ([, spoil]) =>
    Effect.gen(function*() {
      const { file, path, restored } = yield* made
      spoil(file)
      const refused = yield* Effect.flip(restoring(file, restored))
      expect(refused).toMatchObject({ reason: "not-a-backup" })
      expect(refused.message).toContain("Nothing was restored")
      expect(readdirSync(path).toSorted()).toEqual(["data", "hub.backup"])
    }))

  it.scoped("a store that no backup made", () =>
    Effect.gen(function*() {
      const { data, restored } = yield* made
      expect((yield* Effect.flip(restoring(join(data, "hub.db"), restored))).message).toContain(
        "hub backup did not make it"
      )
    }))
})
