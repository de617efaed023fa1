import { Command, CommandExecutor } from "@effect/platform"
import { SystemError } from "@effect/platform/Error"
import { describe, it } from "@effect/vitest"
import { RootSocket, RootSocketError } from "@felhom/domain/port/RootSocket"
import { Privileged } from "@felhom/privileged/Privileged"
import * as PrivilegedDirect from "@felhom/privileged/PrivilegedDirect"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import type { SmartRequest } from "@felhom/privileged/Smart"
import { Effect, Inspectable, Layer, Ref, Sink, Stream } from "effect"
import { expect } from "vitest"

const bytes = (text: string) => Stream.make(new TextEncoder().encode(text))

interface Ran {
  readonly argv: ReadonlyArray<string>
  readonly environment: ReadonlyArray<string>
  readonly inherits: boolean
}

/** Runs nothing: notes what it was asked to run, and answers. */
const executor = (
  answer: { readonly exitCode: number; readonly stdout: string; readonly stderr?: string },
  ran: Ref.Ref<ReadonlyArray<Ran>>
) =>
  Layer.succeed(
    CommandExecutor.CommandExecutor,
    CommandExecutor.makeExecutor((command) => {
      const [standard] = Command.flatten(command)
      return Effect.as(
        Ref.update(ran, (all) => [
          ...all,
          {
            argv: [standard.command, ...standard.args],
            environment: [...standard.env].map(([name]) => name),
            inherits: standard.extendEnv
          }
        ]),
        {
          [CommandExecutor.ProcessTypeId]: CommandExecutor.ProcessTypeId,
          pid: CommandExecutor.ProcessId(1),
          exitCode: Effect.succeed(CommandExecutor.ExitCode(answer.exitCode)),
          isRunning: Effect.succeed(false),
          kill: () => Effect.void,
          stdin: Sink.drain,
          stdout: bytes(answer.stdout),
          stderr: bytes(answer.stderr ?? ""),
          toJSON: () => "process",
          toString: () => "process",
          [Inspectable.NodeInspectSymbol]: () => "process"
        }
      )
    })
  )

const smart: SmartRequest = {
  action: "smart",
  device: "/dev/sda" as Extract<SmartRequest, { action: "smart" }>["device"]
}

describe("Privileged, run directly", () => {
  it.effect("gives a command none of the agent's own environment", () =>
    Effect.gen(function*() {
      const ran = yield* Ref.make<ReadonlyArray<Ran>>([])
      const found = yield* Effect.flatMap(Privileged, (root) => root.smart({ action: "sensors" })).pipe(
        Effect.provide(Layer.provide(
          PrivilegedDirect.layer,
          executor(
            {
              exitCode: 0,
              stdout: `{"coretemp-isa-0000":{"Adapter":"ISA","Package id 0":{"temp1_input":41.0,"temp1_max":100}}}`
            },
            ran
          )
        ))
      )
      expect(found).toEqual({
        action: "sensors",
        temperatures: [{ sensor: "coretemp-isa-0000 Package id 0", celsius: 41 }]
      })
      expect(yield* Ref.get(ran)).toEqual([{
        argv: ["/usr/bin/sensors", "-j"],
        environment: ["PATH", "LC_ALL"],
        inherits: false
      }])
    }))

  it.effect("runs nothing for a request that does not hold, even one that was cast into shape", () =>
    Effect.gen(function*() {
      const ran = yield* Ref.make<ReadonlyArray<Ran>>([])
      const forged = { action: "smart", device: "/dev/sda; reboot" } as SmartRequest
      const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.smart(forged))).pipe(
        Effect.provide(Layer.provide(PrivilegedDirect.layer, executor({ exitCode: 0, stdout: "{}" }, ran)))
      )
      expect(error).toMatchObject({ verb: "smart", reason: "invalid" })
      expect(yield* Ref.get(ran)).toEqual([])
    }))

  it.effect("takes a non-zero exit for a failure, with what the command said", () =>
    Effect.gen(function*() {
      const ran = yield* Ref.make<ReadonlyArray<Ran>>([])
      const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.mount({ action: "list" }))).pipe(
        Effect.provide(
          Layer.provide(PrivilegedDirect.layer, executor({ exitCode: 32, stdout: "", stderr: "no\u001b[31m way" }, ran))
        )
      )
      expect(error).toMatchObject({ reason: "failed" })
      expect(error.message).toContain("ended with 32: no\\u001b[31m way")
    }))

  it.effect("reads a disk that smartctl warns about", () =>
    Effect.gen(function*() {
      const ran = yield* Ref.make<ReadonlyArray<Ran>>([])
      const found = yield* Effect.flatMap(Privileged, (root) => root.smart(smart)).pipe(
        Effect.provide(Layer.provide(
          PrivilegedDirect.layer,
          executor({ exitCode: 8, stdout: `{"smart_status":{"passed":false},"temperature":{"current":52}}` }, ran)
        ))
      )
      expect(found).toEqual({ action: "smart", device: "/dev/sda", passed: false, celsius: 52 })
    }))

  it.effect("says so when a program is not installed", () =>
    Effect.gen(function*() {
      const absent = Layer.succeed(
        CommandExecutor.CommandExecutor,
        CommandExecutor.makeExecutor(() =>
          new SystemError({ reason: "NotFound", module: "Command", method: "start", pathOrDescriptor: "sensors" })
        )
      )
      const error = yield* Effect.flip(Effect.flatMap(Privileged, (root) => root.smart({ action: "sensors" }))).pipe(
        Effect.provide(Layer.provide(PrivilegedDirect.layer, absent))
      )
      expect(error).toMatchObject({ reason: "unavailable" })
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
