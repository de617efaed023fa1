import { askDaemon } from "@felhom/agent/admin/AskDaemon"
import type { OpDesk } from "@felhom/agent/ops/OpDesk"
import { startOps } from "@felhom/agent/ops/OpsStart"
import { SignedBytes } from "@felhom/domain/Envelope"
import { parsePins } from "@felhom/domain/PeerPin"
import { Crypto } from "@felhom/domain/port/Crypto"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import * as StateFile from "@felhom/durable/StateFile"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import * as ProxmoxConfig from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { Clock, Data, Effect, Either, Layer, Redacted, Schema } from "effect"
import { join } from "node:path"
import * as QuickClock from "./QuickClock.ts"

/** Where one host's files are, and where its Proxmox answers. */
export const Home = Schema.Struct({
  folder: Schema.String,
  proxmox: Schema.Struct({
    url: Schema.String,
    fingerprint: Schema.String,
    node: Schema.String,
    tokenId: Schema.String,
    secret: Schema.String
  }),
  /** What the hub sends, one envelope after the other: the next once the ops of the one before have ended. */
  envelopes: Schema.Array(
    Schema.Struct({
      ops: Schema.Array(SignedBytes),
      signers: Schema.Array(SignedBytes),
      /** In base64. */
      desired: Schema.optional(Schema.String)
    })
  )
})
export type Home = typeof Home.Type

export const stateFolder = ({ folder }: Pick<Home, "folder">): string => join(folder, "state")

/** An event as the agent's own queue for the hub holds it. */
export const Told = Schema.Struct({
  kind: Schema.String,
  subject: Schema.NullOr(Schema.String),
  message: Schema.String
})
export type Told = typeof Told.Type

/** How far the desired state and the list of signers have come on the host, 0 for none; and which lists and policy hold, by their hashes. */
export const Reached = Schema.Struct({
  desired: Schema.Number,
  fleet: Schema.Number,
  /** Whose desired state it is. */
  epoch: Schema.NullOr(Schema.String),
  signers: Schema.NullOr(Schema.String),
  policy: Schema.NullOr(Schema.String)
})
export type Reached = typeof Reached.Type

/** Of a host that has said nothing yet. */
export const nothingReached: Reached = { desired: 0, fleet: 0, epoch: null, signers: null, policy: null }

/** Whom an op has to name, as the host says it; null while it can't. */
export const Trust = Schema.NullOr(
  Schema.Struct({
    hostId: Schema.String,
    hostEpoch: Schema.String,
    opEpoch: Schema.String,
    storeSeq: Schema.Number,
    reached: Reached
  })
)
export type Trust = typeof Trust.Type

export const Lived = Schema.Struct({
  /** All that waits for the hub when the life is over, that of earlier lives included. */
  told: Schema.Array(Told),
  /** When it began, and when it was over. */
  first: Trust,
  trust: Trust
})
export type Lived = typeof Lived.Type

/** The agent did not end what it was given. */
export class Stuck extends Data.TaggedError("Stuck")<{ readonly message: string }> {}

const proxmoxOf = ({ proxmox }: Home) =>
  TaskWaiter.layer.pipe(
    Layer.provideMerge(ProxmoxClient.layer),
    Layer.provide(
      Layer.merge(
        PinnedHttp.layer({ peer: "the simulated host", pins: Either.getOrThrow(parsePins(proxmox.fingerprint)) }),
        Layer.orDie(ProxmoxConfig.layer({
          url: new URL(proxmox.url),
          node: NodeName.make(proxmox.node),
          tokenId: TokenId.make(proxmox.tokenId),
          secret: Redacted.make(proxmox.secret)
        }))
      )
    )
  )

/** Whether it says that what the disk has failed under is open anew. */
export const isMended = ({ kind, message }: Pick<Told, "kind" | "message">): boolean =>
  kind === "state.recovered" && message.startsWith("the disk takes writes again")

const over = /^op\.(?:finished|failed|unknown|refused)$/

/** By the host's own clock, in which a minute is soon over. */
const patience = { looks: 4_000, pause: "100 millis" } as const

/** Waits until every op of an envelope was refused, or has ended and, where the journal can be written, is out of it. */
const settled = (runtime: string, ops: ReadonlyArray<SignedBytes>, faulty: boolean) =>
  Effect.gen(function*() {
    const state = yield* StateFile.StateFile
    const crypto = yield* Crypto
    const names = yield* Effect.forEach(
      ops,
      ({ payload }) => crypto.sha256(Either.getOrElse(decodeCanonicalBase64(payload), () => new Uint8Array()))
    )
    for (let look = 0; look < patience.looks; look++) {
      const { events } = yield* state.pending
      const ended = new Set(events.flatMap(({ kind, subject }) => (over.test(kind) ? [subject] : [])))
      const open = yield* Effect.either(askDaemon(runtime, { ask: "ops.list" }))
      // Where the stores can't be read there is nothing that could still go on.
      const idle = Either.match(open, { onLeft: () => true, onRight: (answer) => (answer.ops ?? []).length === 0 })
      if ((idle || faulty) && names.every((name) => ended.has(name))) return
      yield* Effect.sleep(patience.pause)
    }
    return yield* new Stuck({
      message: `an op has not ended: ${
        (yield* state.pending).events.map(({ kind, message }) => `${kind} ${message}`).join(" | ")
      }`
    })
  })

const trustOf = (desk: OpDesk, { host }: typeof StateFile.StateFile.Service): Effect.Effect<Trust> =>
  Effect.map(desk.trust, (trust) =>
    trust === null ? null : {
      hostId: host.id,
      hostEpoch: host.epoch,
      opEpoch: trust.opEpoch,
      storeSeq: trust.storeSeq,
      reached: {
        desired: trust.desired?.version ?? 0,
        fleet: trust.fleet?.version ?? 0,
        epoch: trust.desired?.epoch ?? null,
        signers: trust.signers,
        policy: trust.policy
      }
    })

export interface LifeOptions {
  /** The disk fails on purpose: what has ended may stay in the journal. */
  readonly faulty: boolean
  /** In the end the agent opens anew what the disk has failed under; after that nothing may stay in the journal. */
  readonly mends?: boolean
  /** An envelope is about to be given to the agent. */
  readonly onEnvelope?: () => void
  /** An envelope was taken, and this is what the host says of itself. */
  readonly onReached?: (reached: Reached) => void
}

/**
 * One life of an agent on a folder: it takes up what an earlier one left, is given the envelopes, and ends all of it. Everything
 * below is what ships; only its loop of reports is left out, as a hub would see no more of it than these events.
 */
export const live = (
  home: Home,
  { faulty, mends = false, onEnvelope, onReached }: LifeOptions
): Effect.Effect<Lived, { readonly message: string }> =>
  Effect.gen(function*() {
    const state = yield* StateFile.StateFile
    const runtime = join(home.folder, "run")
    const desk = yield* startOps({
      stateDirectory: stateFolder(home),
      runtimeDirectory: runtime,
      policyFile: join(home.folder, "policy.json"),
      signers: {
        allowed: join(home.folder, "allowed_signers"),
        revoked: { path: join(home.folder, "revoked_keys"), required: false }
      },
      bootId: null
    })
    // As the daemon's first exchange does: until a hub has answered, new events have no number that holds.
    yield* state.acknowledge(0, 0)
    const first = yield* trustOf(desk, state)
    yield* settled(runtime, [], faulty)
    for (const { desired, ops, signers } of home.envelopes) {
      onEnvelope?.()
      const serverTime = EpochMillis.make(yield* Clock.currentTimeMillis)
      yield* desk.received({ ops, signers, serverTime, ...(desired === undefined ? {} : { desired }) })
      yield* settled(runtime, ops, faulty)
      const trust = yield* trustOf(desk, state)
      if (trust !== null) onReached?.(trust.reached)
    }
    if (mends) {
      yield* desk.mend
      const { events } = yield* state.pending
      yield* settled(runtime, [], !events.some(isMended))
    }
    const { events } = yield* state.pending
    return {
      told: events.map(({ kind, message, subject }) => ({ kind, message, subject })),
      first,
      trust: yield* trustOf(desk, state)
    }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.mergeAll(Layer.provide(StateFile.layer(stateFolder(home)), NodeDurableFile.layer), proxmoxOf(home)).pipe(
        Layer.provideMerge(Layer.merge(NodeCrypto.layer, QuickClock.layer))
      )
    )
  )
