import { describe, it } from "@effect/vitest"
import { answerTo } from "@felhom/agent/admin/AdminAnswers"
import { adminSocketName } from "@felhom/agent/admin/AdminProtocol"
import { serveAdmin } from "@felhom/agent/admin/AdminSocket"
import { askDaemon } from "@felhom/agent/admin/AskDaemon"
import { HealthWatch } from "@felhom/agent/health/HealthWatch"
import { HostPolicy } from "@felhom/authz/HostPolicy"
import { OpRefused } from "@felhom/authz/OpRefused"
import { usualPolicy } from "@felhom/authz/PolicyDocument"
import { Signers, SignersUnavailable } from "@felhom/authz/Signers"
import { GoldenName } from "@felhom/domain/GoldenManifest"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { OpId } from "@felhom/domain/OpId"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { sectionUnavailable } from "@felhom/domain/Section"
import { EpochMillis } from "@felhom/domain/Time"
import { Hold, type HoldState } from "@felhom/durable/Hold"
import type { OpenOp } from "@felhom/durable/JournalState"
import { NonceStore } from "@felhom/durable/NonceStore"
import { layerMemory, OpJournal } from "@felhom/durable/OpJournal"
import { StateFile } from "@felhom/durable/StateFile"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { DesiredIntake } from "@felhom/reconciler/desired/DesiredIntake"
import { GoldenBuilder } from "@felhom/reconciler/golden/GoldenBuilder"
import { GoldenImages } from "@felhom/reconciler/golden/GoldenImages"
import { Executor } from "@felhom/reconciler/op/Executor"
import { OpIntake } from "@felhom/reconciler/op/OpIntake"
import { OpNews } from "@felhom/reconciler/op/OpNews"
import { DisksRefused, HostStorageKeeper } from "@felhom/reconciler/storage/HostStorageKeeper"
import { Deferred, Effect, Fiber, Layer, Option, Ref } from "effect"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-admin-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A daemon's socket over a hold of the test's, an intake that refuses everything and these ops in the journal. */
const servedWith = (open: ReadonlyArray<OpenOp>) =>
  Effect.gen(function*() {
    const directory = yield* folder
    const held = yield* Ref.make(Option.none<HoldState>())
    const told: Array<string> = []
    const services = Layer.mergeAll(
      Layer.succeed(Hold, {
        current: Ref.get(held),
        set: (by, reason) =>
          Effect.suspend(() => {
            const state: HoldState = { typ: "felhom/hold/v1", since: EpochMillis.make(0), by, reason }
            return Effect.as(Ref.set(held, Option.some(state)), state)
          }),
        release: Ref.set(held, Option.none())
      }),
      Layer.effect(OpJournal, Effect.map(OpJournal, (journal) => ({ ...journal, open: Effect.succeed(open) }))).pipe(
        Layer.provide(layerMemory),
        Layer.provide(Mandate.mintLayer)
      ),
      Layer.mock(Executor, {
        waiting: Effect.succeed(new Map([[OpId.make("a".repeat(32)), "lxc/101 is locked (backup)"]]))
      }),
      Layer.mock(OpIntake, {
        fromConsole: () =>
          new OpRefused({
            reason: "no-signers",
            detail: "there is no list",
            payload: null,
            action: null,
            subject: null
          })
      }),
      Layer.mock(OpNews, {
        held: (by, reason) => Effect.sync(() => void told.push(`held ${by}: ${reason}`)),
        released: (by, reason) => Effect.sync(() => void told.push(`released ${by}: ${reason}`))
      }),
      Layer.mock(NonceStore, {
        hostEpoch: Effect.succeed(HostEpoch.make("3".repeat(32))),
        storeSeq: Effect.succeed(7)
      }),
      Layer.mock(Signers, { current: new SignersUnavailable({ reason: "no-signers", detail: "there is no list" }) }),
      Layer.mock(HostPolicy, {
        current: Effect.succeed({ policy: usualPolicy, sha256: null, root: null, problem: Option.none() })
      }),
      Layer.mock(DesiredIntake, {
        held: Effect.succeed({ epoch: HostEpoch.make("4".repeat(32)), version: 5, sha256: null })
      }),
      Layer.mock(HostStorageKeeper, {
        eject: (name) => new DisksRefused({ message: `${name} is in use: a task runs that may work on it: vzdump 101` })
      }),
      Layer.mock(HealthWatch, { section: Effect.succeed(sectionUnavailable("not looked at yet")) }),
      Layer.mock(StateFile, { host: { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) } }),
      Layer.mock(GoldenBuilder, { all: Effect.succeed([]) }),
      Layer.mock(GoldenImages, { held: Effect.succeed([]) }),
      Layer.mock(ProxmoxClient, { node: NodeName.make("attic"), tokenId: TokenId.make("felhom-agent@pve!agent") }),
      NodeCrypto.layer
    )
    yield* serveAdmin(directory, (line) => Effect.provide(answerTo(line), services))
    return { directory, held, told }
  })

const served = servedWith([])

const accepted = (op: string): OpenOp => ({
  op: OpId.make(op.repeat(32)),
  source: "signed",
  action: "guest.destroy",
  subject: "lxc/101",
  expires: EpochMillis.make(3_600_000),
  document: "{}",
  acceptedAt: EpochMillis.make(0),
  stage: "accepted",
  calls: [],
  outcome: null
})

/** What comes back for raw bytes. */
const raw = (path: string, text: string) =>
  Effect.async<string>((resume) => {
    let answer = ""
    const socket = createConnection({ path }, () => void socket.write(text))
    socket.on("data", (chunk) => void (answer += chunk.toString()))
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(answer)))
  })

describe("the daemon's socket", () => {
  it.scopedLive("is open to its own user and root only", () =>
    Effect.gen(function*() {
      const { directory } = yield* served
      expect(statSync(join(directory, adminSocketName)).mode & 0o777).toBe(0o600)
    }))

  it.scopedLive("says what is in use instead of ejecting it, and that health is not known before anybody looked", () =>
    Effect.gen(function*() {
      const { directory } = yield* served
      expect((yield* Effect.flip(askDaemon(directory, { ask: "disks.eject", name: "backup" }))).message).toBe(
        "backup is in use: a task runs that may work on it: vzdump 101"
      )
      expect((yield* askDaemon(directory, { ask: "health.show", now: false })).message).toBe(
        "the host's health is not known: not looked at yet"
      )
    }))

  it.scopedLive("answers for golden images, and says what is not known of one", () =>
    Effect.gen(function*() {
      const { directory } = yield* served
      expect(yield* askDaemon(directory, { ask: "golden.list" })).toEqual({
        ok: true,
        message: "no golden image is known on this host",
        golden: []
      })
      const name = GoldenName.make("debian-13")
      expect((yield* Effect.flip(askDaemon(directory, { ask: "golden.draft", name }))).message).toBe(
        "golden image debian-13: no build of it is on record; felhom-agent golden list shows how it stands"
      )
      expect((yield* Effect.flip(askDaemon(directory, { ask: "golden.verify", name }))).message).toContain(
        "golden image debian-13: no manifest of it was accepted on this host; felhom golden sign"
      )
    }))

  it.scopedLive("sets and releases the hold, and tells of both", () =>
    Effect.gen(function*() {
      const { directory, held, told } = yield* served
      const answer = yield* askDaemon(directory, { ask: "hold.set", reason: "moving house" })
      expect(answer.message).toContain("held since")
      expect(Option.isSome(yield* Ref.get(held))).toBe(true)
      yield* askDaemon(directory, { ask: "hold.release", reason: "moved" })
      expect(yield* Ref.get(held)).toEqual(Option.none())
      expect((yield* askDaemon(directory, { ask: "hold.release", reason: "again" })).message).toContain("not held")
      expect(told).toEqual(["held root on the host: moving house", "released root on the host: moved"])
    }))

  it.scopedLive("gives a refusal with its reason, and what to do", () =>
    Effect.gen(function*() {
      const { directory } = yield* served
      const signed = { payload: "e30=", signatures: [] }
      const error = yield* Effect.flip(askDaemon(directory, { ask: "ops.accept", signed }))
      expect(error).toMatchObject({ reason: "refused" })
      expect(error.message).toContain("refused (no-signers): there is no list; root names the signers on the host")
      expect(yield* askDaemon(directory, { ask: "ops.list" })).toMatchObject({
        ops: [],
        trust: { host: "1".repeat(32), hostEpoch: "3".repeat(32), storeSeq: 7, hold: null }
      })
      const { trust } = yield* askDaemon(directory, { ask: "ops.list" })
      expect(trust).toMatchObject({ policy: { sha256: null }, desired: { epoch: "4".repeat(32), version: 5 } })
      expect(trust).not.toHaveProperty("signers")
    }))

  it.scopedLive("tells of an op that waits for its target what it waits for, and of another how far it has come", () =>
    Effect.gen(function*() {
      const { directory } = yield* servedWith([accepted("a"), accepted("b")])
      const { ops } = yield* askDaemon(directory, { ask: "ops.list" })
      expect(ops).toMatchObject([{ stage: "waiting", waitsFor: "lxc/101 is locked (backup)" }, { stage: "accepted" }])
      expect(ops?.[1]).not.toHaveProperty("waitsFor")
    }))

  it.scopedLive("answers what it does not understand, and drops what never ends", () =>
    Effect.gen(function*() {
      const { directory } = yield* served
      const path = join(directory, adminSocketName)
      for (const text of ["{}", "no json", "{\"ask\":\"ops.list\",\"more\":1}"]) {
        expect(yield* raw(path, `${text}\n`)).toContain("does not understand")
      }
      expect(yield* raw(path, "x".repeat(1100 * 1024))).toBe("")
      expect((yield* askDaemon(directory, { ask: "ops.list" })).ok).toBe(true)
    }))

  it.scopedLive("takes the place of one that a crash left behind, and of no daemon that answers", () =>
    Effect.gen(function*() {
      const { directory } = yield* served
      yield* Effect.scoped(serveAdmin(directory, () => Effect.succeed({ ok: true, message: "the second" })))
      expect((yield* askDaemon(directory, { ask: "ops.list" })).message).not.toBe("the second")
      const other = yield* folder
      writeFileSync(join(other, adminSocketName), "left behind")
      yield* serveAdmin(other, () => Effect.succeed({ ok: true, message: "anew" }))
      expect((yield* askDaemon(other, { ask: "ops.list" })).message).toBe("anew")
    }))

  it.scopedLive("is gone in time, whoever still waits for an answer there", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const asked = yield* Deferred.make<void>()
      const answer = () => Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never)
      const waiting = yield* Effect.gen(function*() {
        yield* serveAdmin(directory, answer, 20)
        const one = yield* Effect.fork(raw(join(directory, adminSocketName), "{\"ask\":\"ops.list\"}\n"))
        yield* Deferred.await(asked)
        return one
      }).pipe(Effect.scoped)
      expect(yield* Fiber.join(waiting)).toBe("")
    }))

  it.scopedLive("that is not there is said, with what to do", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const error = yield* Effect.flip(askDaemon(directory, { ask: "ops.list" }))
      expect(error.reason).toBe("no-daemon")
      expect(error.message).toContain("no daemon runs here")
    }))
})
