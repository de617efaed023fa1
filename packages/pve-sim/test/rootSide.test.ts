import { describe, it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as RootFront from "@felhom/pve-sim/RootFront"
import { rootPctCreate } from "@felhom/pve-sim/RootPctCreate"
import { Effect, Layer, Schema, TestClock } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"
import { recordedWorld } from "./recordedWorld.ts"

const request = {
  vmid: 100,
  template: "local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz",
  storage: "ctstore",
  rootGiB: 2,
  hostname: "golden-1",
  cores: 2,
  memoryMiB: 256,
  bridge: "vmbr0"
}

const Reply = Schema.parseJson(
  Schema.Struct({
    ok: Schema.Boolean,
    error: Schema.optional(Schema.Struct({ reason: Schema.String, detail: Schema.String }))
  })
)

const asked = (change: object = {}) =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    return yield* Schema.decode(Reply)(yield* rootPctCreate(sim)(JSON.stringify({ ...request, ...change })))
  })

const got = (path: string) => Effect.map(ask("GET", `${node}${path}`), ({ data }) => JSON.stringify(data))

const onHost = PveSim.layer({ secrets })

describe("the simulated root side", () => {
  it.effect("makes a container as pct does for root: unprivileged, with keyctl and nesting, and by a task of root's", () =>
    Effect.gen(function*() {
      expect(yield* asked()).toEqual({ ok: true })
      const config = yield* got("/lxc/100/config")
      for (
        const part of [
          "keyctl=1,nesting=1",
          "golden-1",
          "ctstore:100/vm-100-disk-0.raw,size=2G",
          "\"unprivileged\":1",
          "BC:24:11"
        ]
      ) {
        expect(config).toContain(part)
      }
      expect(yield* got("/tasks?vmid=100")).toMatch(/vzcreate:100:root@pam/)
    }).pipe(Effect.provide(onHost)))

  it.effect("refuses what the helper on a host refuses, and what pct does", () =>
    Effect.gen(function*() {
      const why = (change: object) => Effect.map(asked(change), ({ error }) => `${error?.reason}: ${error?.detail}`)
      expect(yield* why({ features: "mknod=1" })).toContain("invalid: ")
      expect(yield* why({ vmid: 99 })).toContain("invalid: ")
      expect(yield* why({ template: "/etc/shadow" })).toContain("invalid: ")
      expect(yield* why({ template: "local:vztmpl/gone.tar.gz" })).toBe(
        "failed: unable to create CT 100 - volume 'local:vztmpl/gone.tar.gz' does not exist"
      )
      expect(yield* why({ vmid: 101 })).toBe("failed: CT 101 already exists on node 'demo-felhom'")
      expect(yield* got("/lxc")).not.toContain("golden-1")
    }).pipe(Effect.provide(onHost)))
})

const over = (path: string, text: string) =>
  Effect.async<string>((resume) => {
    let answer = ""
    const socket = createConnection({ path }, () => void socket.write(text))
    socket.on("data", (chunk) => void (answer += chunk.toString()))
    socket.on("error", (error) => resume(Effect.succeed(error.message)))
    socket.on("close", () => resume(Effect.succeed(answer)))
  })

it.scopedLive("its sockets take one line each, and one that an earlier simulator left is taken over", () =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-sim-root-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    writeFileSync(join(directory, "pct-create.sock"), "left behind")
    yield* Layer.build(Layer.provideMerge(RootFront.layer(directory), onHost))
    const pct = join(directory, "pct-create.sock")
    expect(yield* over(pct, `${JSON.stringify(request)}\n`)).toContain("\"ok\":true")
    expect(yield* over(pct, "{}\n")).toContain("\"reason\":\"invalid\"")
    expect(yield* over(pct, `${"x".repeat(9000)}\n`)).toBe("")
    expect(yield* over(join(directory, "smart.sock"), "{}\n")).toContain("\"ok\":false")
    expect(yield* over(join(directory, "mount.sock"), "{}\n")).toContain("\"ok\":false")
  }))

it.effect("a container of a template that says so powers itself off once, after its first start alone", () =>
  Effect.gen(function*() {
    const world = yield* recordedWorld
    const { local } = world.storage_content
    const rows = (Array.isArray(local) ? local : []).map((row) => ({ ...row, first_boot_seconds: 30 }))
    const own = { ...world, storage_content: { ...world.storage_content, local: rows } }
    yield* Effect.gen(function*() {
      yield* asked()
      const sees = Effect.map(got("/lxc/100/status/current"), (text) => /"status":"(\w+)"/.exec(text)?.[1])
      const starts = ask("POST", `${node}/lxc/100/status/start`, "")
      yield* starts
      yield* TestClock.adjust("20 seconds")
      expect(yield* sees).toBe("running")
      yield* TestClock.adjust("20 seconds")
      expect(yield* sees).toBe("stopped")
      yield* starts
      yield* TestClock.adjust("2 minutes")
      expect(yield* sees).toBe("running")
    }).pipe(Effect.provide(PveSim.layer({ secrets, world: own, roles: { FelhomAgent: agentPrivileges } })))
  }))
