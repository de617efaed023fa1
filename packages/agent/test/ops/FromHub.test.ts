import { describe, it } from "@effect/vitest"
import { askDaemon } from "@felhom/agent/admin/AskDaemon"
import { cycle, freshMemory, type Memory } from "@felhom/agent/Cycle"
import { startOps } from "@felhom/agent/ops/OpsStart"
import { type Envelope, envelopeType, type SignedBytes } from "@felhom/domain/Envelope"
import type { HostReport, TrustStatus } from "@felhom/domain/HostReport"
import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { sectionUnavailable } from "@felhom/domain/Section"
import { opNamespace } from "@felhom/domain/SignedOp"
import { encodeAttachedSigners, signersNamespace } from "@felhom/domain/SignersDocument"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import * as StateFile from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import * as LiveClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as LiveWaiter from "@felhom/proxmox/TaskWaiter"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as LiveObserver from "@felhom/reconciler/Observer"
import { Observer } from "@felhom/reconciler/Observer"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-fleet-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")
const base64 = (text: string): string => Buffer.from(text).toString("base64")
const unread = sectionUnavailable("not in this test")

const observer = Layer.succeed(Observer, {
  observe: Effect.succeed({
    takenAt: EpochMillis.make(0),
    proxmox: { state: "ok" as const },
    pveVersion: null,
    kernel: null,
    inventory: { guests: unread, storages: unread, disks: unread, policyHash: null, desired: null, hold: false },
    samples: { node: unread, guests: unread, temperatures: unread },
    sections: { storage: unread, backup: unread, restore: unread, pbs: unread, audit: unread }
  })
})

const proxmox = Layer.mergeAll(
  Layer.mock(ProxmoxClient, { node: NodeName.make("pve"), tokenId: TokenId.make("felhom-agent@pve!agent") }),
  Layer.mock(TaskWaiter, {})
)

const lineOf = (name: string, { publicKey }: Ed25519Key): string =>
  `${name} ssh-ed25519 ${Buffer.from(publicKeyBlob(publicKey)).toString("base64")}\n`

const signed = (text: string, namespace: string, keys: ReadonlyArray<Ed25519Key>) =>
  Effect.map(
    Effect.forEach(keys, (key) => Effect.map(signSshsig(key, namespace, new TextEncoder().encode(text)), writeArmor)),
    (signatures): SignedBytes => ({ payload: base64(text), signatures })
  )

/** A hub that hands over what the test puts there, and keeps what it was told. */
const makeHub = () => {
  const reports: Array<HostReport> = []
  let handed: Partial<Envelope> = {}
  const layer = Layer.succeed(HubClient, {
    exchange: (report) =>
      Effect.sync(() => {
        reports.push(report)
        return {
          typ: envelopeType,
          host: report.host.id,
          hostEpoch: report.host.epoch,
          serverTime: EpochMillis.make(Date.now()),
          nextReportSeconds: 60,
          acked: Math.max(0, ...reports.flatMap(({ events }) => events.map(({ seq }) => seq))),
          ops: [],
          signers: [],
          ...handed
        }
      })
  })
  return { layer, reports, hand: (parts: Partial<Envelope>) => void (handed = parts) }
}

/** The agent over its own disk; each start is a new process on what is left there. */
const started = (
  directory: string,
  hub: ReturnType<typeof makeHub>,
  host: Layer.Layer<Observer | ProxmoxClient | TaskWaiter> = Layer.merge(observer, proxmox)
) =>
  Effect.gen(function*() {
    const state = StateFile.layer(join(directory, "state")).pipe(
      Layer.provide([NodeDurableFile.layer, NodeCrypto.layer])
    )
    const context = yield* Layer.build(Layer.mergeAll(state, hub.layer, host, NodeCrypto.layer))
    const desk = yield* Effect.provide(
      startOps({
        stateDirectory: join(directory, "state"),
        runtimeDirectory: join(directory, "run"),
        policyFile: join(directory, "policy.json"),
        signers: {
          allowed: join(directory, "allowed_signers"),
          revoked: { path: join(directory, "revoked_keys"), required: false }
        },
        bootId: null
      }),
      context
    )
    let memory: Memory = freshMemory
    const turn = Effect.gen(function*() {
      memory = yield* Effect.provide(cycle({ node: NodeName.make("pve"), bootId: null }, memory, desk), context)
      const report = hub.reports.at(-1)
      return { report, trust: report?.trust ?? null }
    })
    const told = Effect.repeat(turn, {
      until: () => hub.reports.some(({ events }) => events.some(({ kind }) => kind === "op.finished"))
    })
    return { turn, told }
  })

const versionText = (version: number, from: string, list: string): string =>
  JSON.stringify({
    typ: "felhom/signers/v1",
    fleet: "f".repeat(32),
    version,
    from: { allowedSigners: sha256(from), revoked: sha256("") },
    issued: 1,
    allowedSigners: list,
    revoked: "",
    reason: "Carl joins"
  })

const desiredText = (host: HostReport["host"], version: number, guests: ReadonlyArray<unknown> = []): string =>
  JSON.stringify({
    typ: "felhom/desired/v1",
    host: host.id,
    hostEpoch: host.epoch,
    epoch: "a".repeat(32),
    version,
    issued: Date.now() - 1000,
    expires: Date.now() + 86_400_000,
    state: { guests }
  })

let nonces = 0
const opText = (host: string, trust: TrustStatus, op: object): string =>
  JSON.stringify({
    typ: "felhom/op/v1",
    host,
    hostEpoch: trust.opEpoch,
    nonce: (nonces += 1).toString(16).padStart(32, "0"),
    iat: Date.now(),
    nbf: Date.now(),
    exp: Date.now() + 60_000,
    storeSeqMin: trust.storeSeq,
    reason: "as the test wants it",
    params: {},
    ...op
  })

const kinds = (hub: ReturnType<typeof makeHub>): ReadonlyArray<string> =>
  [
    ...new Set(hub.reports.flatMap(({ events }) => events).map(({ kind, seq }) => `${seq} ${kind}`))
  ].map((text) => text.replace(/^\d+ /, ""))

/** The recorded host, in which a second takes a millisecond. */
const simulated = () => {
  const tokenId = TokenId.make("felhom-agent@pve!agent")
  const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(node),
      tokenId,
      secret: Redacted.make(secret)
    }))
  )
  const noRoot = Layer.mock(Privileged, {
    smart: () => new PrivilegedError({ verb: "smart", reason: "unavailable", detail: "no helper in this test" })
  })
  return Layer.merge(LiveObserver.layer, LiveWaiter.layer).pipe(
    Layer.provideMerge(LiveClient.layer),
    Layer.provide([Layer.merge(InProcessFront.layer, config), noRoot, NodeCrypto.layer]),
    Layer.provideMerge(
      PveSim.layer({ secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges }, speed: 1000 })
    )
  )
}

describe("an agent on its own disk, and what its hub hands over", () => {
  it.scopedLive("starts a guest and changes it as its desired state says, and reports that it is so", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const hub = makeHub()
      const host = yield* Layer.build(simulated())
      const agent = yield* started(directory, hub, Layer.succeedContext(host))
      const { report } = yield* agent.turn
      const guests = report?.inventory?.guests
      const tiny = guests?.state === "ok" ? guests.value.find(({ vmid }) => vmid === 9999) : undefined
      if (report === undefined || tiny?.config.state !== "ok") return expect.unreachable()
      const { identity } = tiny.config.value
      const wish = { guest: { type: "lxc", identity }, power: "running", description: "the mail" }
      hub.hand({ desired: base64(desiredText(report.host, 1, [wish])) })
      const done = () => kinds(hub).filter((kind) => kind === "desired.done").length === 2
      yield* Effect.repeat(agent.turn, { until: done })
      // An inventory travels when it says something new.
      const last = () => hub.reports.flatMap(({ inventory }) => (inventory === null ? [] : [inventory.desired])).at(-1)
      yield* Effect.repeat(agent.turn, { until: () => last()?.drift.length === 0 })
      expect(last()).toEqual({
        epoch: "a".repeat(32),
        version: 1,
        stale: false,
        drift: [],
        blocked: []
      })
      const shown = yield* Effect.flatMap(
        LiveClient.ProxmoxClient,
        (client) => Effect.all([client.guestStatus({ type: "lxc", vmid: tiny.vmid }), client.guestConfig(tiny)])
      ).pipe(
        Effect.provide(host)
      )
      expect(shown).toMatchObject([{ status: "running" }, { description: "the mail\n" }])
      expect(kinds(hub)).toContain("desired.started")
    }).pipe(Effect.provide(NodeEd25519.layer)))

  it.scopedLive("follows its fleet's signers and takes a desired state; says both, and does so over a restart", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const curve = yield* Ed25519
      const [anna, carl] = [yield* curve.generate, yield* curve.generate]
      const list = lineOf("anna", anna)
      writeFileSync(join(directory, "allowed_signers"), list)
      const hub = makeHub()
      const firstLife = yield* Scope.make()
      const agent = yield* Scope.extend(started(directory, hub), firstLife)
      const before = yield* agent.turn
      expect(before.trust).toMatchObject({ signers: sha256(list), fleet: null, desired: null })
      const host = before.report?.host
      if (host === undefined) return expect.unreachable()

      const longer = `${list}${lineOf("carl", carl)}`
      const [text, wish] = [versionText(1, list, longer), desiredText(host, 3)]
      hub.hand({ signers: [yield* signed(text, signersNamespace, [anna])], desired: base64(wish) })
      yield* agent.turn
      hub.hand({})
      const after = yield* agent.turn
      const trust = {
        signers: sha256(longer),
        fleet: { version: 1, sha256: sha256(text), revoked: sha256(""), followed: true },
        desired: { version: 3, sha256: sha256(wish) }
      }
      expect(after.trust).toMatchObject(trust)
      expect(after.report?.inventory?.desired).toMatchObject({ version: 3, stale: false, compared: false })
      expect(kinds(hub)).toEqual(["signers.accepted"])

      yield* Scope.close(firstLife, Exit.void)
      const again = yield* started(directory, hub)
      expect((yield* again.turn).trust).toMatchObject(trust)
      // What went before is a lie by now, and is told of once.
      const old = yield* signed(versionText(1, list, `${list}# another\n`), signersNamespace, [anna])
      hub.hand({ signers: [old], desired: base64(desiredText(host, 2)) })
      yield* Effect.repeatN(again.turn, 3)
      expect((yield* again.turn).trust).toMatchObject(trust)
      expect(kinds(hub)).toEqual(["signers.accepted", "signers.refused", "desired.refused"])
    }).pipe(Effect.provide(NodeEd25519.layer)))

  it.scopedLive("takes a policy with a signed op from the hub, and a list of signers with one from a file", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const curve = yield* Ed25519
      const [anna, carl] = [yield* curve.generate, yield* curve.generate]
      const list = lineOf("anna", anna)
      writeFileSync(join(directory, "allowed_signers"), list)
      const hub = makeHub()
      const agent = yield* started(directory, hub)
      const { report, trust } = yield* agent.turn
      if (report === undefined || trust === null) return expect.unreachable()

      const policy = JSON.stringify({ typ: "felhom/policy/v1", signatures: { thresholds: { "guest.destroy": 1 } } })
      const widen = { op: "policy.widen", target: { sha256: sha256(policy) }, expect: { sha256: trust.policy } }
      const op = yield* signed(opText(report.host.id, trust, widen), opNamespace, [anna])
      hub.hand({ ops: [{ ...op, document: base64(policy) }] })
      const told = yield* agent.told
      expect(told.trust?.policy).toBe(sha256(policy))
      expect(told.report?.inventory?.policyHash ?? sha256(policy)).toBe(sha256(policy))

      const text = versionText(8, "another list", lineOf("carl", carl))
      const version = yield* signed(text, signersNamespace, [carl])
      const update = {
        op: "signers.update",
        target: { sha256: sha256(text) },
        expect: { version: 0, sha256: trust.signers },
        params: { version: 8 }
      }
      const adoption = {
        ...yield* signed(opText(report.host.id, trust, update), opNamespace, [anna]),
        document: Buffer.from(encodeAttachedSigners(version)).toString("base64")
      }
      const answer = yield* askDaemon(join(directory, "run"), { ask: "ops.accept", signed: adoption })
      expect(answer.message).toContain("accepted the op")
      // A report may be put together in the middle of it, and then tells of the version and not yet of its list.
      const signers = sha256(lineOf("carl", carl))
      const adopted = yield* Effect.repeat(agent.turn, { until: ({ trust }) => trust?.signers === signers })
      expect(adopted.trust?.fleet?.version).toBe(8)
    }).pipe(Effect.provide(NodeEd25519.layer)))

  it.scopedLive("says so and reports on when what it accepted can't be read, and takes nobody's word meanwhile", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const curve = yield* Ed25519
      const anna = yield* curve.generate
      writeFileSync(join(directory, "allowed_signers"), lineOf("anna", anna))
      mkdirSync(join(directory, "state"))
      writeFileSync(join(directory, "state", "accepted-signers.json"), "{")
      writeFileSync(join(directory, "state", "accepted-desired.json"), "")
      const hub = makeHub()
      const agent = yield* started(directory, hub)
      yield* agent.turn
      hub.hand({ desired: base64("{}") })
      yield* agent.turn
      const { trust } = yield* agent.turn
      expect(trust).toMatchObject({ signers: null })
      // Nothing is said of what can't be read: a hub would take null for a host that never had any.
      expect(trust).not.toHaveProperty("fleet")
      expect(trust).not.toHaveProperty("desired")
      expect(kinds(hub)).toEqual(["state.unreadable", "state.unreadable", "desired.refused"])
      expect(readFileSync(join(directory, "state", "accepted-signers.json"), "utf8")).toBe("{")
    }).pipe(Effect.provide(NodeEd25519.layer)))
})
