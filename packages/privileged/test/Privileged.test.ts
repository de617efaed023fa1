import { describe, it } from "@effect/vitest"
import { RootSocket, RootSocketError } from "@felhom/domain/port/RootSocket"
import { Privileged } from "@felhom/privileged/Privileged"
import * as PrivilegedDirect from "@felhom/privileged/PrivilegedDirect"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import type { SmartRequest } from "@felhom/privileged/Smart"
import { Effect, Layer, Ref } from "effect"
import { expect } from "vitest"
import { type Answer, commands, noUnitFiles, type Ran } from "./ModelHost.ts"

const direct = (answer: (argv: ReadonlyArray<string>) => Answer, ran: Array<Ran> = []) =>
  Layer.provide(PrivilegedDirect.layer, Layer.merge(commands(answer, ran), noUnitFiles))

describe("Privileged, run directly", () => {
  it.effect("gives a command none of the agent's own environment", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      const stdout = `{"coretemp-isa-0000":{"Adapter":"ISA","Package id 0":{"temp1_input":41.0,"temp1_max":100}}}`
      const found = yield* Effect.flatMap(Privileged, (root) => root.smart({ action: "sensors" })).pipe(
        Effect.provide(direct(() => ({ exitCode: 0, stdout }), ran))
      )
      expect(found).toEqual({
        action: "sensors",
        temperatures: [{ sensor: "coretemp-isa-0000 Package id 0", celsius: 41 }]
      })
      expect(ran).toEqual([{
        argv: ["/usr/bin/sensors", "-j"],
        environment: ["PATH", "LC_ALL"],
        inherits: false
      }])
    }))

  it.effect("runs nothing for a request that does not hold, even one that was cast into shape", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      const forged = { action: "smart", device: "/dev/sda; reboot" } as SmartRequest
      const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.smart(forged))).pipe(
        Effect.provide(direct(() => ({ exitCode: 0, stdout: "{}" }), ran))
      )
      expect(error).toMatchObject({ verb: "smart", reason: "invalid" })
      expect(ran).toEqual([])
    }))

  it.effect("takes a non-zero exit for a failure, with what the command said", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.mount({ action: "list" }))).pipe(
        Effect.provide(direct(() => ({ exitCode: 32, stderr: "no\u001b[31m way" })))
      )
      expect(error).toMatchObject({ reason: "failed" })
      expect(error.message).toContain("ended with 32: no\\u001b[31m way")
    }))
})

const socket = (answer: string) =>
  Layer.provide(PrivilegedSocket.layer, Layer.succeed(RootSocket, { exchange: () => Effect.succeed(answer) }))

describe("Privileged, over the sockets", () => {
  it.effect("asks with one line and takes one line", () =>
    Effect.gen(function*() {
      const asked = yield* Ref.make<ReadonlyArray<string>>([])
      const root = Layer.succeed(RootSocket, {
        exchange: (verb, line) =>
          Effect.as(
            Ref.update(asked, (all) => [...all, `${verb} ${line}`]),
            `{"ok":true,"result":{"action":"sensors","temperatures":[]}}`
          )
      })
      yield* Effect.flatMap(Privileged, (privileged) => privileged.smart({ action: "sensors" })).pipe(
        Effect.provide(Layer.provide(PrivilegedSocket.layer, root))
      )
      expect(yield* Ref.get(asked)).toEqual([`smart {"action":"sensors"}`])
    }))

  it.effect("hands on the helper's own refusal", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.smart({ action: "sensors" }))).pipe(
        Effect.provide(
          socket(
            `{"ok":false,"error":{"_tag":"PrivilegedError","verb":"smart","reason":"failed","detail":"no sensors"}}`
          )
        )
      )
      expect(error).toMatchObject({ reason: "failed", detail: "no sensors" })
    }))

  it.effect("believes no answer that isn't one", () =>
    Effect.gen(function*() {
      for (
        const answer of ["", "{}", "<html>", `{"ok":true,"result":{"action":"sensors"}}`, `{"ok":true,"result":[]}`]
      ) {
        const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.smart({ action: "sensors" }))).pipe(
          Effect.provide(socket(answer))
        )
        expect(error).toMatchObject({ reason: "malformed" })
      }
    }))

  it.effect("names the unit to look at when the helper is absent", () =>
    Effect.gen(function*() {
      const absent = Layer.succeed(RootSocket, {
        exchange: (verb) => new RootSocketError({ verb, reason: "absent", detail: "ENOENT" })
      })
      const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.smart({ action: "sensors" }))).pipe(
        Effect.provide(Layer.provide(PrivilegedSocket.layer, absent))
      )
      expect(error).toMatchObject({ reason: "unavailable" })
      expect(error.message).toContain("systemctl status felhom-agent-smart.socket")
    }))
})
