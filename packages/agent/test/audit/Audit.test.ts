import { describe, it } from "@effect/vitest"
import { auditVerify } from "@felhom/agent/audit/AuditVerify"
import { version } from "@felhom/domain/Version"
import * as AuditChain from "@felhom/durable/AuditChain"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { Effect, Layer, Option } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const program = join(import.meta.dirname, "../../../../dist/main.js")

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-audit-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** What a start of the daemon writes. */
const auditStart = (directory: string, bootId: string | null) =>
  Effect.flatMap(AuditChain.AuditChain, (chain) => chain.append({ _tag: "agent.started", version, bootId })).pipe(
    Effect.provide(AuditChain.layer(directory).pipe(Layer.provide([NodeFileSteps.layer, NodeCrypto.layer])))
  )

const verify = (directory: string, entries: Option.Option<number> = Option.none()) =>
  auditVerify({ directory, output: "json", entries, head: Option.none() }).pipe(
    Effect.provide(Layer.merge(NodeDurableFile.layer, NodeCrypto.layer))
  )

describe("felhom-agent audit verify", () => {
  it.scopedLive("finds the chain whole that the daemon's starts wrote", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* auditStart(directory, "boot-1")
      yield* auditStart(directory, null)
      yield* verify(directory, Option.some(2))
    }))

  it.scopedLive("finds entries missing that there were, and a chain that is not there", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      expect(yield* Effect.flip(verify(directory))).toMatchObject({ _tag: "AuditBroken" })
      yield* auditStart(directory, null)
      expect(yield* Effect.flip(verify(directory, Option.some(2)))).toMatchObject({ _tag: "AuditBroken" })
    }))

  it.scopedLive("finds a changed byte", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* auditStart(directory, "boot-1")
      yield* auditStart(directory, "boot-2")
      const path = join(directory, "audit.log")
      const bytes = readFileSync(path)
      bytes[bytes.indexOf("boot-1") + 5]! ^= 1
      writeFileSync(path, bytes)
      expect(yield* Effect.flip(verify(directory))).toMatchObject({ _tag: "AuditBroken", path })
    }))

  it.scopedLive("ends the program with 0, 1, or 2, and says why", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const told = (...args: ReadonlyArray<string>) => {
        const { status, stderr, stdout } = spawnSync(process.execPath, [program, "audit", "verify", ...args], {
          encoding: "utf8",
          env: { FELHOM_AGENT_STATE_DIR: directory }
        })
        return { status, said: stdout + stderr }
      }
      yield* auditStart(directory, "boot-1")
      expect(told()).toMatchObject({ status: 0, said: expect.stringContaining("whole") })
      expect(told("--entries", "2")).toMatchObject({ status: 1, said: expect.stringContaining("BROKEN") })
      expect(told("--head", "short")).toMatchObject({ status: 2 })
    }))
})
