import { describe, it } from "@effect/vitest"
import { askDaemon } from "@felhom/agent/admin/AskDaemon"
import { startOps } from "@felhom/agent/ops/OpsStart"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Deferred, Effect, FiberId, Layer } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const program = "ssh-keygen"
const keygen = spawnSync(program, ["-?"]).error === undefined

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-ops-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A host in a folder, with one signer whose key ssh-keygen made. */
const hostIn = (directory: string) => {
  const key = join(directory, "key")
  execFileSync(program, ["-q", "-t", "ed25519", "-N", "", "-C", "anna", "-f", key])
  const [type, blob] = readFileSync(`${key}.pub`, "utf8").split(" ")
  writeFileSync(join(directory, "allowed_signers"), `anna ${type} ${blob}\n`)
  const events: Array<NewEvent> = []
  const finished = Deferred.unsafeMake<void>(FiberId.none)
  const state = Layer.mock(StateFile, {
    host: { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) },
    lasting: Effect.succeed([]),
    record: (all) =>
      Effect.suspend(() => {
        events.push(...all)
        return all.some(({ kind }) => kind === "op.finished") ? Deferred.succeed(finished, undefined) : Effect.void
      }),
    pending: Effect.succeed({ events: [], dropped: 0 }),
    failure: Effect.succeedNone
  })
  const proxmox = Layer.mergeAll(
    Layer.mock(ProxmoxClient, { node: NodeName.make("pve"), tokenId: TokenId.make("felhom-agent@pve!agent") }),
    Layer.mock(TaskWaiter, {})
  )
  const start = startOps({
    stateDirectory: join(directory, "state"),
    runtimeDirectory: join(directory, "run"),
    policyFile: join(directory, "policy.json"),
    signers: {
      allowed: join(directory, "allowed_signers"),
      revoked: { path: join(directory, "revoked_keys"), required: false }
    },
    bootId: null
  }).pipe(Effect.provide([state, proxmox, NodeCrypto.layer]))
  /** As an operator without any tool of ours signs. */
  const sign = (op: object, name: string) => {
    const file = join(directory, name)
    writeFileSync(file, JSON.stringify(op))
    execFileSync(program, ["-q", "-Y", "sign", "-n", "op.v1@felhom.eu", "-f", key, file])
    return { payload: readFileSync(file).toString("base64"), signatures: [readFileSync(`${file}.sig`, "utf8")] }
  }
  return { start, sign, events, finished: Deferred.await(finished), runtime: join(directory, "run") }
}

describe(`signed ops on the host's own disk${keygen ? "" : " (not run: there is no ssh-keygen here)"}`, () => {
  it.scopedLive.runIf(keygen)(
    "takes what ssh-keygen signed, from a file and without a hub, and once",
    () =>
      Effect.gen(function*() {
        const host = hostIn(yield* folder)
        const desk = yield* host.start
        yield* askDaemon(host.runtime, { ask: "hold.set", reason: "moving house" })
        const trust = yield* desk.trust
        expect(trust).toMatchObject({ policy: null, hold: { reason: "moving house" } })
        const { trust: named } = yield* askDaemon(host.runtime, { ask: "ops.list" })
        expect(named).toMatchObject({ hostEpoch: trust?.opEpoch, hold: trust?.hold?.since })
        const now = Date.now()
        const op = {
          typ: "felhom/op/v1",
          host: "1".repeat(32),
          hostEpoch: trust?.opEpoch,
          nonce: "d".repeat(32),
          iat: now,
          nbf: now,
          exp: now + 60_000,
          storeSeqMin: trust?.storeSeq,
          op: "hold.release",
          target: {},
          expect: { since: trust?.hold?.since },
          params: {},
          reason: "moved"
        }
        const signed = host.sign(op, "op")
        const other = { ...signed, payload: Buffer.from(`${JSON.stringify(op)} `).toString("base64") }
        const refused = yield* Effect.flip(askDaemon(host.runtime, { ask: "ops.accept", signed: other }))
        expect(refused.message).toContain("refused (signature)")
        expect((yield* askDaemon(host.runtime, { ask: "ops.accept", signed })).message).toContain("accepted the op")
        yield* host.finished
        expect((yield* desk.trust)?.hold).toBeNull()
        expect((yield* askDaemon(host.runtime, { ask: "ops.accept", signed })).message).toContain("before")
        expect(host.events.map(({ kind }) => kind)).toEqual([
          "hold.set",
          "op.refused",
          "op.accepted",
          "hold.released",
          "op.finished"
        ])
        const audit = yield* desk.audit
        expect(audit).toMatchObject({ state: "ok", value: { length: 6 } })
      })
  )
})
