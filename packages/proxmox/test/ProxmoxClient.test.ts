import { type HttpClient, HttpClientError, HttpClientRequest } from "@effect/platform"
import { it } from "@effect/vitest"
import { AnswerLate, endsByItself } from "@felhom/domain/port/AnswerLimit"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { type Destruction, Mandate, MandateMint } from "@felhom/mandate/Mandate"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Deferred, Effect, Fiber, Logger, TestClock } from "effect"
import { describe, expect } from "vitest"
import { broken, died, ok, scripted, secret } from "./ScriptedApi.ts"

const ct101 = { type: "lxc", vmid: Vmid.make(101) } as const
const upid = Upid.make("UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:101:felhom-agent@pve!agent:")
const name = SnapshotName.make("felhom-selftest")

const own = (destruction: Destruction) => Effect.flatMap(MandateMint, (mint) => mint.own(destruction, upid))

const failure = <A>(effect: Effect.Effect<A, ProxmoxError, ProxmoxClient>) => Effect.flip(effect)

describe("a request", () => {
  it.effect("carries the token and nothing that the host could trace or mistake for a login", () => {
    const api = scripted(() => Effect.succeed(ok({ version: "9.2.11", release: "9.2" })))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      yield* client.version.pipe(Effect.withSpan("a cycle"))
      expect(api.sent).toHaveLength(1)
      expect(api.sent[0]).toMatchObject({ method: "GET", path: "/api2/json/version", body: "" })
      expect(Object.keys(api.sent[0]?.headers ?? {}).sort()).toEqual(["accept", "authorization"])
      expect(api.sent[0]?.headers["authorization"]).toBe(`PVEAPIToken=felhom-agent@pve!agent=${secret}`)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("keeps ; and = and & and line breaks of a value in a form", () => {
    const api = scripted(() => Effect.succeed(ok(null)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const description = "a=1; b=2 & c+d\nzwölf"
      yield* client.setConfig(ct101, { set: { description, onboot: true }, delete: ["tags", "startup"], digest: "abc" })
      expect(api.sent[0]).toMatchObject({
        method: "PUT",
        path: "/api2/json/nodes/demo-felhom/lxc/101/config",
        body: "description=a%3D1%3B%20b%3D2%20%26%20c%2Bd%0Azw%C3%B6lf&onboot=1&delete=tags%2Cstartup&digest=abc"
      })
      expect(api.sent[0]?.headers["content-type"]).toBe("application/x-www-form-urlencoded")
      expect(api.sent[0]?.headers["content-length"]).toBe(String(api.sent[0]?.body.length))
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("names a task by its encoded UPID", () => {
    const api = scripted(() => Effect.succeed(ok([], 0)))
    return Effect.gen(function*() {
      yield* (yield* ProxmoxClient).taskLog(upid, { start: 5, limit: 20 })
      expect(api.sent[0]?.path).toBe(
        "/api2/json/nodes/demo-felhom/tasks/UPID%3Ademo-felhom%3A000001D5%3A00064B2C%3A6B023662%3Avzsnapshot%3A101%3A" +
          "felhom-agent%40pve!agent%3A/log?start=5&limit=20"
      )
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("that deletes has no body", () => {
    const api = scripted(() => Effect.succeed(ok(upid)))
    return Effect.gen(function*() {
      const mandate = yield* own({ op: "snapshot.delete", guest: ct101, snapshot: name })
      yield* (yield* ProxmoxClient).deleteSnapshot(ct101, name, mandate)
      expect(api.sent[0]).toMatchObject({
        method: "DELETE",
        path: "/api2/json/nodes/demo-felhom/lxc/101/snapshot/felhom-selftest",
        body: ""
      })
      expect(api.sent[0]?.headers).not.toHaveProperty("content-type")
    }).pipe(Effect.provide([api.layer, Mandate.mintLayer]))
  })

  it.effect("with an empty value is not sent, since Proxmox would take it for none", () => {
    const api = scripted(() => Effect.succeed(ok(null)))
    return Effect.gen(function*() {
      const error = yield* failure((yield* ProxmoxClient).setConfig(ct101, { set: { description: "" } }))
      expect(error).toMatchObject({ reason: "invalid", errors: { description: "must not be empty" } })
      expect(api.sent).toEqual([])
    }).pipe(Effect.provide(api.layer))
  })
})

describe("writing a guest's configuration", () => {
  it.effect.each([[null, null], ["", null], [upid, upid]] as const)("answered with %j gives %j", ([data, expected]) => {
    const api = scripted(() => Effect.succeed(ok(data)))
    return Effect.gen(function*() {
      expect(yield* (yield* ProxmoxClient).setConfig(ct101, { set: { cores: 2 } })).toBe(expected)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect.each([
    { set: { mp0: "local:8" } },
    { set: { lock: "backup" } },
    { set: { protection: false } },
    { set: { protection: "0" } },
    { set: { cores: 2, hookscript: "local:snippets/x" } },
    { delete: ["unused0"] },
    { delete: ["protection"] },
    { delete: ["description", "mp0"] },
    { delete: ["net0"] },
    { set: { features: "nesting=1" } }
  ])("sends nothing of %j without a mandate", (change) => {
    const api = scripted(() => Effect.succeed(ok(null)))
    return Effect.gen(function*() {
      const error = yield* failure((yield* ProxmoxClient).setConfig(ct101, change))
      expect(error.reason).toBe("no-mandate")
      expect(api.sent).toEqual([])
    }).pipe(Effect.provide(api.layer))
  })
})

describe("a call that destroys", () => {
  it.effect("takes a mandate for exactly that object, once", () => {
    const api = scripted(() => Effect.succeed(ok(upid)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const mandate = yield* own({ op: "guest.rollback", guest: ct101, snapshot: name })
      const other = yield* Effect.flip(client.deleteSnapshot(ct101, name, mandate))
      expect(other).toMatchObject({ _tag: "MandateRefused", reason: "other" })
      expect(api.sent).toEqual([])
      expect(yield* client.rollback(ct101, name, mandate)).toBe(upid)
      const again = yield* Effect.flip(client.rollback(ct101, name, mandate))
      expect(again).toMatchObject({ _tag: "MandateRefused", reason: "spent" })
      expect(api.sent.map((sent) => `${sent.method} ${sent.path}`)).toEqual([
        "POST /api2/json/nodes/demo-felhom/lxc/101/snapshot/felhom-selftest/rollback"
      ])
    }).pipe(Effect.provide([api.layer, Mandate.mintLayer]))
  })

  it.effect("dies on a forged mandate, and sends nothing", () => {
    const api = scripted(() => Effect.succeed(ok(upid)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      // A mandate has no public constructor: this is what a cast, or plain JavaScript, would present.
      const forged: Mandate = Object.create(Mandate.prototype)
      for (const call of [client.deleteSnapshot(ct101, name, forged), client.rollback(ct101, name, forged)]) {
        const exit = yield* Effect.exit(call)
        expect(String(exit)).toContain("forged mandate")
      }
      expect(api.sent).toEqual([])
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("does not compile without one", () => {
    const api = scripted(() => Effect.succeed(ok(upid)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const calls = () => [
        // @ts-expect-error A mandate is missing.
        client.deleteSnapshot(ct101, name),
        // @ts-expect-error What looks like one is none.
        client.rollback(ct101, name, { toString: () => "Mandate" }),
        // @ts-expect-error Nor is a text.
        client.rollback(ct101, name, "signed")
      ]
      expect(calls).toBeTypeOf("function")
      expect(api.sent).toEqual([])
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("keeps its mandate while it waits for its turn", () =>
    Effect.gen(function*() {
      const release = yield* Deferred.make<void>()
      const api = scripted(() => Effect.as(Deferred.await(release), ok(upid)))
      yield* Effect.gen(function*() {
        const client = yield* ProxmoxClient
        const slow = yield* Effect.forkAll([client.start(ct101), client.start(ct101)])
        const mandate = yield* own({ op: "snapshot.delete", guest: ct101, snapshot: name })
        const waiting = yield* Effect.fork(client.deleteSnapshot(ct101, name, mandate))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(waiting)
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(slow)
        expect(yield* client.deleteSnapshot(ct101, name, mandate)).toBe(upid)
      }).pipe(Effect.provide([api.layer, Mandate.mintLayer]))
    }))
})

describe("what goes wrong on the way", () => {
  it.effect("leaves a write open and is never sent twice", () => {
    const api = scripted(() => broken("UND_ERR_SOCKET"))
    return Effect.gen(function*() {
      const error = yield* failure((yield* ProxmoxClient).start(ct101))
      expect(error).toMatchObject({ reason: "outcome-unknown", status: null })
      expect(api.sent).toHaveLength(1)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("is read again once when the idle connection was closed", () => {
    const api = scripted((_sent, count) =>
      count === 1 ? broken("UND_ERR_SOCKET") : Effect.succeed(ok({ version: "9.2.11", release: "9.2" }))
    )
    return Effect.gen(function*() {
      expect((yield* (yield* ProxmoxClient).version).version).toBe("9.2.11")
      expect(api.sent).toHaveLength(2)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("is read again once and no more", () => {
    const api = scripted(() => broken("ECONNRESET"))
    return Effect.gen(function*() {
      const error = yield* failure((yield* ProxmoxClient).version)
      expect(error).toMatchObject({ reason: "unreachable", status: null })
      expect(error.message).toContain("ECONNRESET")
      expect(api.sent).toHaveLength(2)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("is unreachable, for a write too, when there never was a connection", () => {
    const api = scripted(() => broken("ECONNREFUSED"))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      expect((yield* failure(client.start(ct101))).reason).toBe("unreachable")
      expect((yield* failure(client.version)).reason).toBe("unreachable")
      expect(api.sent).toHaveLength(2)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("ends after a minute without an answer", () => {
    const api = scripted(() => Effect.never)
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const both = yield* Effect.fork(Effect.all([failure(client.version), failure(client.start(ct101))], {
        concurrency: 2
      }))
      yield* TestClock.adjust("59 seconds")
      expect(both.unsafePoll()).toBeNull()
      yield* TestClock.adjust("1 second")
      expect((yield* Fiber.join(both)).map((error) => error.reason)).toEqual(["unreachable", "outcome-unknown"])
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("takes as long as a client lets it that is known to end by itself, and says the same then", () => {
    const known = (http: HttpClient.HttpClient) => endsByItself(http, 60_000)
    const silent = scripted(() => Effect.never, known)
    const late = scripted(
      () =>
        Effect.fail(
          new HttpClientError.RequestError({
            request: HttpClientRequest.get("https://demo.example:8006"),
            reason: "Transport",
            cause: new AnswerLate(60_000)
          })
        ),
      known
    )
    return Effect.gen(function*() {
      const waiting = yield* Effect.flatMap(ProxmoxClient, (client) => client.version).pipe(
        Effect.provide(silent.layer),
        Effect.fork
      )
      yield* TestClock.adjust("10 minutes")
      expect(waiting.unsafePoll()).toBeNull()
      const client = yield* ProxmoxClient
      const read = yield* failure(client.version)
      expect(read).toMatchObject({ reason: "unreachable", detail: "no answer within 60 s" })
      expect(yield* failure(client.start(ct101))).toMatchObject({ reason: "outcome-unknown" })
      expect(late.sent).toHaveLength(2)
    }).pipe(Effect.provide(late.layer))
  })

  it.effect("stops reading an answer that is too large", () => {
    let pulled = 0
    const api = scripted(() =>
      Effect.sync(() =>
        new Response(
          new ReadableStream({
            pull: (controller) => {
              pulled += 1
              controller.enqueue(new Uint8Array(1024 * 1024).fill(32))
            }
          })
        )
      )
    )
    return Effect.gen(function*() {
      expect((yield* failure((yield* ProxmoxClient).storageConfig)).reason).toBe("too-large")
      expect(pulled).toBeLessThan(24)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("leaves a write open when its answer can't be read", () => {
    const pages = ["<html></html>", "not json", "{\"data\":42}", "{}"]
    const api = scripted((_sent, count) => Effect.succeed(new Response(pages[(count - 1) % pages.length] ?? "")))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      for (const _ of pages) expect((yield* failure(client.start(ct101))).reason).toBe("outcome-unknown")
      for (const _ of pages) expect((yield* failure(client.version)).reason).toBe("malformed")
    }).pipe(Effect.provide(api.layer))
  })
})

it.effect("at most two calls are in flight", () =>
  Effect.gen(function*() {
    const release = yield* Deferred.make<void>()
    let inFlight = 0
    let most = 0
    const api = scripted(() =>
      Effect.gen(function*() {
        inFlight += 1
        most = Math.max(most, inFlight)
        yield* Deferred.await(release)
        inFlight -= 1
        return ok({ version: "9.2.11", release: "9.2" })
      })
    )
    yield* Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const calls = yield* Effect.forkAll(Array.from({ length: 8 }, () => client.version))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(calls)
    }).pipe(Effect.provide(api.layer))
    expect(most).toBe(2)
    expect(api.sent).toHaveLength(8)
  }))

it.effect("the secret is in no error and in no log of one", () => {
  const lines: Array<string> = []
  const api = scripted((_sent, count) => count === 1 ? Effect.succeed(died("no", 403)) : broken("EPIPE"))
  return Effect.gen(function*() {
    const client = yield* ProxmoxClient
    for (const call of [client.start(ct101), client.start(ct101)]) {
      const error = yield* failure(call)
      yield* Effect.logError("failed", error)
      lines.push(error.message, JSON.stringify(error), String(error.stack))
    }
    expect(lines.length).toBeGreaterThanOrEqual(8)
    expect(lines.join("\n")).not.toContain("1111")
  }).pipe(
    Effect.provide([
      api.layer,
      Logger.replace(Logger.defaultLogger, Logger.map(Logger.jsonLogger, (line) => void lines.push(line)))
    ])
  )
})

describe("lists", () => {
  it.effect("leave out rows of a kind that is not known, and name the ones that can't be read", () => {
    const api = scripted(() =>
      Effect.succeed(ok([
        { type: "lxc", vmid: "101", node: "demo-felhom", template: "0", maxmem: "5.12e+08", tags: "b;a" },
        { type: "network", id: "network/demo/zone" },
        { type: "lxc", id: "lxc/nine", vmid: "nine", node: "demo-felhom" },
        { type: "storage", storage: "local", node: "demo-felhom", shared: false, content: "iso,backup" },
        { type: "node", node: "demo-felhom", status: "online" }
      ]))
    )
    return Effect.gen(function*() {
      const found = yield* (yield* ProxmoxClient).clusterResources
      expect(found.guests).toMatchObject([{
        vmid: 101,
        status: "unknown",
        template: false,
        maxmem: 512_000_000,
        tags: ["a", "b"],
        name: null
      }])
      expect(found.storages).toMatchObject([{ storage: "local", content: ["backup", "iso"], shared: false }])
      expect(found.nodes).toHaveLength(1)
      expect(found.unreadable.map((row) => row.row)).toEqual(["id lxc/nine"])
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("are empty when Proxmox says null", () => {
    const api = scripted(() => Effect.succeed(ok(null)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      expect(yield* client.disks()).toEqual({ rows: [], unreadable: [] })
      expect(yield* client.snapshots(ct101)).toEqual({ rows: [], unreadable: [], current: null })
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("of snapshots show where the guest stands, and descriptions as they were written", () => {
    const api = scripted(() =>
      Effect.succeed(ok([
        { name: "before", snaptime: "1795307106", description: "two\nlines\n\n" },
        { name: "half", snapstate: "prepare", parent: "before", snaptime: 1795307107 },
        { name: "current", description: "You are here!", running: 1, parent: "half", digest: "d" }
      ]))
    )
    return Effect.gen(function*() {
      expect(yield* (yield* ProxmoxClient).snapshots(ct101)).toEqual({
        rows: [
          { name: "before", description: "two\nlines", parent: null, takenAt: 1795307106, incomplete: false },
          { name: "half", description: "", parent: "before", takenAt: 1795307107, incomplete: true }
        ],
        unreadable: [],
        current: { name: "current", digest: "d", running: true, parent: "half" }
      })
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("keep keys of a configuration that nobody knows yet", () => {
    const config = { hostname: "a", digest: "d", newkey9: { deep: [1] }, memory: "512" }
    const api = scripted(() => Effect.succeed(ok(config)))
    return Effect.gen(function*() {
      expect(yield* (yield* ProxmoxClient).guestConfig(ct101, { current: true })).toEqual(config)
      expect(api.sent[0]?.path).toBe("/api2/json/nodes/demo-felhom/lxc/101/config?current=1")
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("of permissions hold what has a key, inherited or not", () => {
    const api = scripted(() => Effect.succeed(ok({ "/vms/101": { "VM.Audit": 1, "VM.Backup": 0 } })))
    return Effect.gen(function*() {
      expect(yield* (yield* ProxmoxClient).permissions("/vms/101")).toEqual({
        "/vms/101": { "VM.Audit": true, "VM.Backup": false }
      })
      expect(api.sent[0]?.path).toBe("/api2/json/access/permissions?path=%2Fvms%2F101")
    }).pipe(Effect.provide(api.layer))
  })
})
