import { desiredType } from "@felhom/domain/DesiredDocument"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { configHash, guestIdentity } from "@felhom/domain/GuestConfig"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { type GuestRef, NodeName, SnapshotName, TokenId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { opNamespace, opType } from "@felhom/domain/SignedOp"
import { signersNamespace, signersType } from "@felhom/domain/SignersDocument"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import { HttpsFront } from "@felhom/pve-sim/HttpsFront"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Encoding, Layer, Redacted } from "effect"
import { createHash, randomBytes, randomUUID } from "node:crypto"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Home, live, type Trust } from "./Life.ts"

const tokenId = "felhom-agent@pve!agent"
const guest: GuestRef = { type: "lxc", vmid: Vmid.make(9999) }
const snapshot = SnapshotName.make("before")
const machine: GuestRef = { type: "qemu", vmid: Vmid.make(200) }

/** The calls that the operator's ops stand for: to stop a guest, to remove a snapshot of it, to stop another guest. */
const calls = {
  stop: "POST /nodes/NODE/lxc/9999/status/stop",
  remove: "DELETE /nodes/NODE/lxc/9999/snapshot/before",
  late: "POST /nodes/NODE/qemu/200/status/stop"
} as const
export type CallName = keyof typeof calls
export const callNames = ["stop", "remove", "late"] as const satisfies ReadonlyArray<CallName>

/** How often each call has reached the simulated host, and how often anything else that changes something. */
export type Counts = { readonly [name in CallName | "other"]: number }

// A relay can add signatures that count for nobody. With them, the records of two ops make the journal long enough to be written
// anew in the middle of a life.
const ballast: ReadonlyArray<string> = Array.from(
  { length: 14 },
  (_, number) => writeArmor(new Uint8Array(8_000).fill(number))
)

/** What there is at the beginning of a life, and what is true of the host whatever the agent says. */
export interface Scene {
  /** The versions 1 and 2 of what the hub wishes, and of the fleet's signers. */
  readonly wishes: readonly [string, string]
  readonly chain: readonly [SignedBytes, SignedBytes]
  /** As the agent told it at the end of its first life. */
  readonly trust: NonNullable<Trust>
  /** A fresh folder, as an agent leaves it that has lived before and been given nothing to do. */
  readonly folder: Effect.Effect<string>
  /** Root's own list of signers. */
  readonly rootsList: string
  /** The operator's signature over it, in the namespace that it is for. */
  readonly sign: (payload: string, namespace: string) => Effect.Effect<SignedBytes>
  readonly homeAt: (folder: string, envelopes: Home["envelopes"]) => Home
  /** Puts the host back to where the operator sees it: the guests run, and the snapshot is there. */
  readonly restore: Effect.Effect<void>
  /** An op as the operator signs it now, by what the host shows of itself. */
  readonly signed: (call: CallName, nonce: string, reason: string) => Effect.Effect<SignedBytes>
  readonly counts: Effect.Effect<Counts>
  /** Whether the op's effect is there. */
  readonly isDone: (call: CallName) => Effect.Effect<boolean>
}

export const freshNonce = (): string => randomBytes(16).toString("hex")

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-crash-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A simulated host over TLS, an operator, and a state folder to begin from. */
export const makeScene = Effect.gen(function*() {
  const secret = randomUUID()
  const context = yield* Layer.build(
    HttpsFront.layer({ host: "127.0.0.1", port: 0 }).pipe(
      Layer.provideMerge(
        PveSim.layer({ speed: 1000, secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges } })
      ),
      Layer.provideMerge(Layer.merge(NodeEd25519.layer, NodeCrypto.layer))
    )
  )
  const inside = Effect.provide(context)
  const sim = yield* inside(PveSim)
  const front = yield* inside(HttpsFront)
  const key = yield* inside(Effect.flatMap(Ed25519, (curve) => curve.generate))
  const { original } = yield* front.certificates
  const client = ProxmoxClient.layer.pipe(
    Layer.provide(
      Layer.merge(
        InProcessFront.layer,
        Layer.succeed(ProxmoxConfig, {
          url: new URL(front.url),
          node: NodeName.make(sim.node),
          tokenId: TokenId.make(tokenId),
          secret: Redacted.make(secret)
        })
      )
    ),
    Layer.provideMerge(Layer.succeedContext(context))
  )

  const root = yield* temporary
  let made = 0
  const homeAt = (folder: string, envelopes: Home["envelopes"]): Home => ({
    folder,
    proxmox: { url: front.url, fingerprint: original.leaf, node: sim.node, tokenId, secret },
    envelopes
  })
  const template = join(root, "first")
  mkdirSync(template)
  const rootsList = `anna ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(key.publicKey))}\n`
  writeFileSync(join(template, "allowed_signers"), rootsList)
  const { trust } = yield* Effect.orDie(live(homeAt(template, []), { faulty: false }))
  if (trust === null) return yield* Effect.dieMessage("the first life does not say whom an op must name")

  /** What an operator is shown of the guest. */
  const shown = (guest: GuestRef) =>
    Effect.gen(function*() {
      const proxmox = yield* ProxmoxClient.ProxmoxClient
      const config = yield* proxmox.guestConfig(guest)
      const identity = guestIdentity(guest.type, config)
      const { rows } = yield* proxmox.snapshots(guest)
      return {
        identity,
        configHash: yield* configHash(config),
        name: (yield* proxmox.guestStatus(guest)).name,
        volumes: identity.volumes.map((volid) => ({ volid: Volid.make(volid), size: null })),
        snapshots: rows.map(({ name, takenAt }) => ({ name, takenAt }))
      }
    }).pipe(Effect.provide(client), Effect.orDie)

  const sign = (payload: string, namespace: string) =>
    Effect.map(
      inside(signSshsig(key, namespace, new TextEncoder().encode(payload))),
      (signature): SignedBytes => ({ payload: Encoding.encodeBase64(payload), signatures: [writeArmor(signature)] })
    )

  const hostIdentity = (yield* shown(guest)).identity
  const issued = Date.now()
  const wish = (version: number): string =>
    Encoding.encodeBase64(JSON.stringify({
      typ: desiredType,
      host: trust.hostId,
      hostEpoch: trust.hostEpoch,
      epoch: "d".repeat(32),
      version,
      issued,
      expires: issued + 3_600_000,
      state: { guests: [{ guest: { type: guest.type, identity: hostIdentity }, cores: version }] }
    }))
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")
  const lists = [rootsList, `# the fleet's\n${rootsList}`, `# the fleet's, once more\n${rootsList}`] as const
  const version = (number: 1 | 2) =>
    sign(
      JSON.stringify({
        typ: signersType,
        fleet: "f".repeat(32),
        version: number,
        from: { allowedSigners: sha256(lists[number === 1 ? 0 : 1]), revoked: sha256("") },
        issued,
        allowedSigners: lists[number],
        revoked: "",
        reason: "for the whole fleet"
      }),
      signersNamespace
    )
  const chain = [yield* version(1), yield* version(2)] as const

  const payloadOf = (call: CallName, nonce: string, reason: string) =>
    Effect.map(shown(call === "late" ? machine : guest), (expect) => {
      const now = Date.now()
      const { hostId: host, opEpoch: hostEpoch, storeSeq: storeSeqMin } = trust
      const all = { typ: opType, host, hostEpoch, nonce, iat: now, nbf: now, exp: now + 3_600_000, storeSeqMin, reason }
      return JSON.stringify(
        call !== "remove"
          ? {
            ...all,
            op: "guest.stop_hard",
            target: { guest: call === "late" ? machine : guest },
            expect,
            params: {}
          }
          : {
            ...all,
            op: "snapshot.delete",
            target: { guest, snapshot },
            expect: { ...expect, takenAt: expect.snapshots.find(({ name }) => name === snapshot)?.takenAt ?? 0 },
            params: {}
          }
      )
    })

  const scene: Scene = {
    wishes: [wish(1), wish(2)],
    chain,
    trust,
    rootsList,
    sign,
    homeAt,
    folder: Effect.sync(() => {
      const folder = join(root, String(made += 1))
      cpSync(template, folder, { recursive: true, filter: (path) => !path.endsWith(".sock") })
      return folder
    }),
    restore: Effect.gen(function*() {
      // Tasks are told apart by the second that they began in, and of two lives both can fall into one.
      yield* sim.change({ _tag: "task.expire", before: Number.MAX_SAFE_INTEGER })
      yield* sim.change({ _tag: "guest.status", vmid: guest.vmid, status: "running" })
      yield* sim.change({ _tag: "guest.status", vmid: machine.vmid, status: "running" })
      const { snapshots } = yield* shown(guest)
      if (snapshots.some(({ name }) => name === snapshot)) return
      yield* sim.change({ _tag: "guest.snapshot", vmid: guest.vmid, name: snapshot, description: "" })
    }).pipe(Effect.orDie),
    signed: (call, nonce, reason) =>
      Effect.gen(function*() {
        const payload = yield* payloadOf(call, nonce, reason)
        const signed = yield* sign(payload, opNamespace)
        return { ...signed, signatures: [...signed.signatures, ...ballast] }
      }),
    counts: Effect.map(sim.requests, (all) => {
      const counts = { stop: 0, remove: 0, late: 0, other: 0 }
      for (const { count, method, path } of all) {
        if (method === "GET") continue
        const call = `${method} ${path.replace("/api2/json", "").replace(`/nodes/${sim.node}/`, "/nodes/NODE/")}`
        counts[callNames.find((name) => calls[name] === call) ?? "other"] += count
      }
      return counts
    }),
    isDone: (call) =>
      call === "remove"
        ? Effect.map(shown(guest), ({ snapshots }) => snapshots.every(({ name }) => name !== snapshot))
        : Effect.flatMap(
          ProxmoxClient.ProxmoxClient,
          (proxmox) => proxmox.guestStatus(call === "late" ? machine : guest)
        ).pipe(
          Effect.map(({ status }) => status !== "running"),
          Effect.provide(client),
          Effect.orDie
        )
  }
  return scene
})
