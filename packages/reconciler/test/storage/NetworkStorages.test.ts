import { describe, it } from "@effect/vitest"
import { NodeName, StorageId } from "@felhom/domain/ProxmoxId"
import type { NewStorage } from "@felhom/proxmox/StorageChange"
import type { StorageConfig } from "@felhom/proxmox/StorageRows"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { planStorage } from "@felhom/reconciler/storage/StoragePlan"
import { Effect, Redacted } from "effect"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"
import { keeping, started, TestHost } from "./SimulatedDisks.ts"

const fingerprint = Array.from({ length: 32 }, (_, at) => (at + 16).toString(16).toUpperCase()).join(":")

const nas = { type: "nfs", server: "nas.example", export: "/volume1/backup" }
const vault = {
  type: "pbs",
  server: "pbs.example",
  datastore: "home",
  username: "agent@pbs!attic",
  credential: "vault",
  fingerprint
}
const share = { type: "cifs", server: "nas.example", share: "photos", username: "attic", credential: "photos" }

const wishing = (network: object) => {
  const host = new TestHost()
  host.storage = { network }
  return host
}

describe("storages on other machines that the policy names", () => {
  it.effect("are added once their machine answers, and are looked at again from time to time", () => {
    const host = wishing({ nas })
    return Effect.gen(function*() {
      const { change, kept, storage } = yield* keeping(host)
      expect((yield* kept).network).toMatchObject([{
        storage: "nas",
        state: "trouble",
        why: expect.stringContaining("is not online")
      }])
      yield* change({ _tag: "server.answers", server: "nas.example", answers: true })
      yield* TestClock.adjust("11 minutes")
      expect((yield* kept).network).toEqual([{ storage: "nas", type: "nfs", state: "ready", why: null }])
      expect(yield* storage("nas")).toMatchObject({
        type: "nfs",
        server: "nas.example",
        export: "/volume1/backup",
        content: ["backup"]
      })
      expect(host.told).toEqual([
        expect.stringContaining("storage.trouble: storage nas: "),
        "storage.kept: the storage nas (nfs) was added"
      ])
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("are opened by a secret of the host's, which is given again only when it is another one", () => {
    const host = wishing({ vault, photos: share })
    return Effect.gen(function*() {
      const { change, kept, storage } = yield* keeping(host)
      yield* change({ _tag: "server.answers", server: "pbs.example", answers: true })
      yield* change({ _tag: "server.answers", server: "nas.example", answers: true })
      expect((yield* kept).network.map(({ why }) => why)).toEqual([
        "the host has no secret vault",
        "the host has no secret photos"
      ])
      host.secrets.set("vault", "first secret").set("photos", "another")
      yield* TestClock.adjust("11 minutes")
      expect((yield* kept).network.map(({ state }) => state)).toEqual(["ready", "ready"])
      expect(yield* storage("vault")).toMatchObject({ server: "pbs.example", datastore: "home", fingerprint })
      const told = host.events.length
      yield* TestClock.adjust("11 minutes")
      yield* kept
      expect(host.events).toHaveLength(told)
      host.secrets.set("vault", "second secret")
      yield* TestClock.adjust("11 minutes")
      yield* kept
      expect(host.told.at(-1)).toBe("storage.kept: the storage vault was put right: the secret")
      // A secret counts as given only once it was: what is held is not.
      host.isHeld = true
      host.secrets.set("vault", "third secret")
      yield* TestClock.adjust("11 minutes")
      expect((yield* kept).network[0]?.why).toContain("the host is held")
      host.isHeld = false
      const before = host.events.length
      yield* TestClock.adjust("11 minutes")
      yield* kept
      expect(host.told.slice(before)).toEqual(["storage.kept: the storage vault was put right: the secret"])
      const written = new TextDecoder().decode(host.files.get("/state/disks.json"))
      expect(written).toContain("sha256")
      expect(written).not.toContain("secret\"")
      expect(written).not.toContain("first secret")
      expect(host.told.join()).not.toContain("second secret")
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("that were changed by hand are put right where nothing is lost, and told where they point elsewhere", () => {
    const host = wishing({ nas })
    return Effect.gen(function*() {
      const { change, kept, storage } = yield* keeping(host)
      yield* change({ _tag: "server.answers", server: "nas.example", answers: true })
      yield* kept
      yield* change({ _tag: "storage.set", storage: "nas", config: { content: "backup,images", disable: "1" } })
      yield* TestClock.adjust("11 minutes")
      expect((yield* kept).network[0]?.state).toBe("ready")
      expect(host.told.at(-1)).toBe("storage.kept: the storage nas was put right: what it is for, switched on or off")
      yield* change({ _tag: "storage.set", storage: "nas", config: { server: "evil.example" } })
      yield* TestClock.adjust("11 minutes")
      expect((yield* kept).network[0]).toMatchObject({
        state: "trouble",
        why: expect.stringContaining("has server evil.example, and should have nas.example: somebody else set it up")
      })
      expect(yield* storage("nas")).toMatchObject({ server: "evil.example" })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("can't be added by a token that lacks the right for it, and that is told with the right's name", () => {
    const host = wishing({ nas })
    const privileges = agentPrivileges.filter((name) => name !== "Datastore.Allocate")
    return Effect.gen(function*() {
      const { change, kept, keeper } = yield* keeping(host)
      yield* change({ _tag: "server.answers", server: "nas.example", answers: true })
      expect((yield* kept).network[0]).toMatchObject({
        state: "trouble",
        why: expect.stringContaining("Datastore.Allocate")
      })
      expect(yield* keeper.sightings).toMatchObject([{ kind: "storage", state: "fail" }])
    }).pipe(Effect.provide(started(host, { privileges })))
  })

  it.effect("are left alone, and nothing is asked, where the policy names none", () => {
    const host = new TestHost()
    return Effect.gen(function*() {
      const { keeper, kept } = yield* keeping(host)
      expect(yield* kept).toEqual({ sets: [], network: [] })
      expect(yield* keeper.section).toBeUndefined()
      expect(yield* keeper.sightings).toEqual([])
    }).pipe(Effect.provide(started(host)))
  })
})

const node = NodeName.make("attic")

const config = (fields: { readonly [key: string]: unknown }): StorageConfig => ({
  storage: StorageId.make("nas"),
  type: "nfs",
  content: ["backup"],
  ...fields
})

const wanted: NewStorage = {
  type: "pbs",
  storage: StorageId.make("nas"),
  content: ["backup"],
  server: "pbs.example",
  port: 8007,
  datastore: "home",
  username: "agent@pbs",
  password: Redacted.make("s"),
  fingerprint
}

describe("what is done for a storage", () => {
  const pbs = {
    type: "pbs",
    server: "pbs.example",
    datastore: "home",
    username: "agent@pbs",
    fingerprint: fingerprint.toLowerCase()
  }

  it("is nothing where it is as it should be, however Proxmox writes it", () => {
    expect(planStorage(wanted, config(pbs), node)).toEqual({ plan: "fine" })
    expect(planStorage(wanted, config({ ...pbs, port: 8007, nodes: "cellar, attic", disable: 0 }), node)).toEqual({
      plan: "fine"
    })
  })

  it("is never another place, another type or another node's", () => {
    const elsewhere: ReadonlyArray<readonly [fields: object, words: string]> = [
      [{ server: "other.example" }, "has server other.example"],
      [{ datastore: "work" }, "has datastore work"],
      [{ namespace: "x" }, "has namespace x, and should have none"],
      [{ port: "8008" }, "has port 8008"],
      [{ type: "nfs" }, "is of the type nfs, and should be pbs"],
      [{ nodes: "cellar" }, "is for cellar and not for attic"]
    ]
    for (const [fields, words] of elsewhere) {
      expect(planStorage(wanted, config({ ...pbs, ...fields }), node)).toMatchObject({
        plan: "differs",
        why: expect.stringContaining(words)
      })
    }
  })

  it("puts a changed fingerprint, user, content and a switched off storage right at once, against the digest that was read", () => {
    const changed = config({
      ...pbs,
      fingerprint: fingerprint.replace("10", "AA"),
      username: "root@pam",
      content: ["images"],
      disable: 1,
      digest: "abc"
    })
    expect(planStorage(wanted, changed, node)).toMatchObject({
      plan: "change",
      change: { fingerprint, username: "agent@pbs", content: ["backup"], enabled: true, digest: "abc" }
    })
  })
})
