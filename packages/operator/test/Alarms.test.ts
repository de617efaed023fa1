import { describe, it } from "@effect/vitest"
import { backup } from "@felhom/hub/Backup"
import { restore } from "@felhom/hub/Restore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { folder, hubOn, makeHost, makeHub, makePerson } from "./TrustWorld.ts"

const letIn = (hub: Effect.Effect.Success<typeof makeHub>, node: string) =>
  Effect.gen(function*() {
    const admin = yield* makePerson(hub, yield* hub.token("admin"))
    const host = yield* makeHost(hub, node)
    const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
    yield* Effect.flip(host.enrol(token))
    expect((yield* admin.felhom(["accept", host.code])).code).toBe(0)
    yield* host.enrol(token)
    return { admin, host, token }
  })

describe("the waiting room", () => {
  it.scopedLive("loses a host that an admin rejects, for good", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const admin = yield* makePerson(hub, yield* hub.token("admin"))
      const host = yield* makeHost(hub, "attic")
      const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
      yield* Effect.flip(host.enrol(token))
      const viewer = yield* makePerson(hub, yield* hub.token("viewer"))
      expect(yield* viewer.felhom(["reject", host.code])).toMatchObject({
        code: 1,
        err: expect.stringContaining("role admin")
      })
      expect(yield* admin.felhom(["reject", host.code])).toMatchObject({
        code: 0,
        out: expect.stringContaining("rejected attic")
      })
      expect((yield* admin.felhom(["waiting"])).out).toBe("no host waits to be accepted")
      expect((yield* Effect.flip(host.enrol(token))).message).toContain("was revoked")
      expect((yield* admin.felhom(["waiting"])).out).toBe("no host waits to be accepted")
      expect(yield* admin.felhom(["reject", "attic"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("felhom waiting")
      })
    }))

  it.scopedLive("tells that a host of the same name reports already, and how the old one is retired", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const { admin, host, token: first } = yield* letIn(hub, "attic")
      const expected = yield* admin.felhom(["hosts"])
      expect(expected.code).toBe(0)
      expect(expected.out).toMatch(/attic +[0-9a-f]{8} +expected +never, accepted \d+ s ago/)
      yield* host.send()
      const again = yield* makeHost(hub, "attic")
      const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
      yield* Effect.flip(again.enrol(token))
      const short = host.id.slice(0, 8)
      const both = yield* admin.felhom(["hosts"])
      expect(both.out).toContain(`a host of this name reports already as ${short}`)
      expect((yield* admin.felhom(["waiting"])).out).toContain(`reports already as ${short}`)
      expect((yield* admin.felhom(["accept", again.code])).code).toBe(0)
      yield* again.enrol(token)
      yield* again.send()

      expect((yield* admin.felhom(["retire", short])).out).toContain("it is expected no more")
      const old = yield* Effect.flip(host.send({ sequence: 2 }))
      expect(old.reason).toBe("unauthorized")
      const listed = yield* admin.felhom(["hosts"])
      expect(listed.out).toContain(again.id.slice(0, 8))
      expect(listed.out).not.toContain(short)
      expect((yield* admin.felhom(["hosts", "--all"])).out).toMatch(new RegExp(`attic +${short} +retired`))
      // The name is the new one's now, and the old one's key proves nothing any more.
      expect((yield* admin.felhom(["host", "attic"])).out).toContain(again.id)
      expect((yield* Effect.flip(host.enrol(first))).message).toContain("was retired")

      expect((yield* admin.felhom(["retire", short, "--undo"])).code).toBe(0)
      yield* host.enrol(first)
      yield* host.send({ sequence: 3 })
    }))
})

it.scopedLive("felhom forget unpins a host on this machine, by its name, and only there", () =>
  Effect.gen(function*() {
    const hub = yield* makeHub
    const { admin, host } = yield* letIn(hub, "attic")
    yield* host.send()
    expect((yield* admin.felhom(["host", "attic"])).out).toContain("signed by the host")
    expect((yield* admin.felhom(["forget", "attic"])).out).toContain("forgot the key of attic")
    const known = join(admin.home, ".config/felhom/known-hosts")
    expect(readFileSync(known, "utf8")).not.toContain(host.id)
    expect(readFileSync(`${known}.seen`, "utf8")).not.toContain(host.id)
    expect((yield* admin.felhom(["host", "attic"])).out).toContain("NOT VERIFIED")
    expect(yield* admin.felhom(["forget", "attic"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("has no host")
    })
    expect((yield* admin.felhom(["trust", "attic"], { types: host.code })).code).toBe(0)
  }))

describe("alarms", () => {
  it.scopedLive("are listed, tested and acknowledged by their number, each by who may", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const admin = yield* makePerson(hub, yield* hub.token("admin"))
      const viewer = yield* makePerson(hub, yield* hub.token("viewer"))
      const listed = yield* viewer.felhom(["alarms"])
      expect(listed).toMatchObject({ code: 0, out: expect.stringContaining("no alarm is open") })
      expect(listed.out).toContain("nobody is told of alarms")
      expect(yield* viewer.felhom(["ack", "1"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("role operator")
      })
      expect(yield* admin.felhom(["ack", "1"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("no alarm 1 is open")
      })
      expect(yield* admin.felhom(["ack", "1", "--for", "soon"])).toMatchObject({
        code: 2,
        err: expect.stringContaining("30m, 4h or 2d")
      })
      expect(yield* viewer.felhom(["notify", "test"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("role admin")
      })
      expect((yield* admin.felhom(["notify", "test"])).out).toContain("no channel is set up")
    }))
})

describe("a hub that was restored from a backup", () => {
  it.scopedLive("takes the agent's next report, and felhom says once what happened, and verifies as before", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const { admin, host } = yield* letIn(hub, "attic")
      yield* host.send({ sequence: 1 })
      expect((yield* admin.felhom(["host", "attic"])).code).toBe(0)
      const place = yield* folder
      const file = join(place, "hub.backup")
      yield* backup({ data: hub.data, to: file, force: false })
      yield* host.send({ sequence: 2 })
      expect((yield* admin.felhom(["host", "attic"])).out).toContain("report 2")

      const restored = join(place, "restored")
      yield* Effect.provide(restore({ from: file, data: restored }), NodeCrypto.layer)
      const again = yield* hubOn(restored)
      const environment = { ...admin.environment, FELHOM_HUB_URL: again.url.origin }
      const felhom = (...args: ReadonlyArray<string>) => admin.felhom(args, { environment })
      // The port is another one here; at home it is the same, and so is the memory of it.
      const memory = join(admin.home, ".config/felhom/known-hubs.json")
      writeFileSync(memory, readFileSync(memory, "utf8").replace(hub.url.origin, again.url.origin))

      const old = yield* felhom("host", "attic")
      expect(old.err).toContain("was restored at")
      expect(old.err).toContain("look through felhom tokens")
      expect(old.err).toContain("the hub serves report 1, and report 2 was seen before")
      expect(old.code).toBe(1)

      yield* host.send({ sequence: 3 }, { hub: again })
      const now = yield* felhom("host", "attic")
      expect(now).toMatchObject({ code: 0, err: "", out: expect.stringContaining("signed by the host") })
      expect(now.out).toContain("report 3")
    }))
})
