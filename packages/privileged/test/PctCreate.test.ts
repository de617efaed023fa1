import { describe, it } from "@effect/vitest"
import { PctCreateRequest, whatIsMissing } from "@felhom/privileged/PctCreate"
import { pctCreate } from "@felhom/privileged/PctCreateDirect"
import { Effect, Schema } from "effect"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"
import { type Answer, commands, type Ran } from "./ModelHost.ts"

const golden = Schema.decodeUnknownSync(PctCreateRequest)({
  vmid: 9000,
  template: "local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst",
  storage: "local-lvm",
  rootGiB: 8,
  hostname: "golden",
  cores: 2,
  memoryMiB: 1024,
  bridge: "vmbr0"
})

const config = "arch: amd64\nfeatures: keyctl=1,nesting=1\nhostname: golden\nunprivileged: 1\n"

const create = (created: Answer, read: Answer = { exitCode: 0, stdout: config }, ran: Array<Ran> = []) =>
  Effect.provide(pctCreate(golden), commands((argv) => argv[1] === "create" ? created : read, ran))

describe("a golden container", () => {
  it.effect("is created, and then read back", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      const stdout = `\n${"x".repeat(300)}\nextracting\u001b[31m archive\n\n`
      const { output } = yield* create({ exitCode: 0, stdout }, undefined, ran)
      expect(output).toEqual([`${"x".repeat(159)}…`, "extracting\\u001b[31m archive"])
      expect(ran.map(({ argv }) => argv.slice(0, 3))).toEqual([
        ["/usr/sbin/pct", "create", "9000"],
        ["/usr/sbin/pct", "config", "9000"]
      ])
    }))

  it.effect("that turns out another than was asked for is no success, whatever pct says", () =>
    Effect.gen(function*() {
      const read = { exitCode: 0, stdout: "features: nesting=1\nunprivileged: 0\n" }
      expect(yield* Effect.flip(create({ exitCode: 0 }, read))).toMatchObject({
        reason: "failed",
        detail: expect.stringContaining("lacks unprivileged: 1 and keyctl=1")
      })
    }))

  it("has what it needs in whatever order Proxmox VE writes it, and nowhere else", () => {
    expect(whatIsMissing(config)).toEqual([])
    expect(whatIsMissing("unprivileged: 1\nfeatures: fuse=1,nesting=1,keyctl=1")).toEqual([])
    expect(whatIsMissing("unprivileged: 1\ndescription: features: keyctl=1,nesting=1")).toEqual([
      "keyctl=1",
      "nesting=1"
    ])
    expect(whatIsMissing("unprivileged: 1\nfeatures: keyctl=10,nesting=1")).toEqual(["keyctl=1"])
  })

  it.effect("that pct refuses is told in pct's words", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(create({ exitCode: 255, stderr: "CT 9000 already exists on node 'demo'\n" })))
        .toMatchObject({
          reason: "failed",
          detail: "/usr/sbin/pct ended with 255: CT 9000 already exists on node 'demo'"
        })
      expect(yield* Effect.flip(create("absent"))).toMatchObject({
        reason: "unavailable",
        detail: expect.stringContaining("this is no Proxmox VE host")
      })
    }))

  it.effect("that is not made in ten minutes is neither there nor not there, and it is said how to look", () =>
    Effect.gen(function*() {
      const asked = yield* Effect.fork(Effect.flip(create("hangs")))
      yield* TestClock.adjust("600 seconds")
      expect(yield* asked).toMatchObject({
        reason: "failed",
        detail: expect.stringMatching(/whether CT 9000 is there is not known: look with pct list/)
      })
    }))
})
