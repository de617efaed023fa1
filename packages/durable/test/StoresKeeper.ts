import type { AuditEntry } from "@felhom/domain/AuditEntry"
import { HostEpoch } from "@felhom/domain/HostId"
import { OpId } from "@felhom/domain/OpId"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import * as AuditChain from "@felhom/durable/AuditChain"
import { verifyAudit } from "@felhom/durable/AuditVerdict"
import * as Hold from "@felhom/durable/Hold"
import type { AcceptedOp, MadeSnapshot } from "@felhom/durable/JournalRecord"
import type { OpenOp } from "@felhom/durable/JournalState"
import type { IntendedCall } from "@felhom/durable/JournalWords"
import * as NonceStore from "@felhom/durable/NonceStore"
import * as OpJournal from "@felhom/durable/OpJournal"
import type { BegunStep } from "@felhom/durable/StepRecord"
import type { OpenStep } from "@felhom/durable/StepState"
import { Mandate } from "@felhom/mandate/Mandate"
import { Clock, Effect, Layer, Option } from "effect"
import type { Model } from "./ModelFileSystem.ts"
import { below, type Keeper, type Promised, type Random } from "./PowerCuts.ts"
import { testCrypto } from "./TestCrypto.ts"

type Stores = NonceStore.NonceStore | OpJournal.OpJournal | AuditChain.AuditChain | Hold.Hold

/** A start of everything that signed ops are kept in. */
const onStores = <A, E>(model: Model, use: Effect.Effect<A, E, Stores>): Effect.Effect<A, E> =>
  Effect.provide(
    use,
    Layer.mergeAll(
      NonceStore.layer("/state"),
      OpJournal.layer("/state"),
      AuditChain.layer("/state"),
      Hold.layer("/state")
    ).pipe(Layer.provide([model.layer, testCrypto, Mandate.mintLayer]))
  )

/** What a start finds. */
interface Kept {
  readonly epoch: string
  readonly seq: number
  readonly spent: ReadonlySet<string>
  readonly known: ReadonlySet<string>
  readonly stages: ReadonlyMap<string, OpenOp["stage"]>
  /** Steps of a desired state that are open, as far as each has come: begun, its task known, ended. */
  readonly steps: ReadonlyMap<string, number>
  /** How many steps count, of this life of the disk. */
  readonly counted: number
  /** What this agent may remove, as far as it was begun to be removed. */
  readonly made: ReadonlySet<string>
  readonly entries: number
  readonly chainWhole: boolean
  readonly held: boolean
}

const nonceNames = Array.from({ length: 12 }, (_, number) => number.toString(16).padStart(32, "0"))
const opNames = Array.from({ length: 8 }, (_, number) => OpId.make(number.toString(16).padStart(32, "0")))
const stepNames = ["lxc/101 guest.start", "lxc/102 config.set cores", "new web guest.make"]
const stepOf = (step: string): BegunStep => ({
  step,
  epoch: HostEpoch.make("e".repeat(32)),
  version: 1,
  action: "guest.start",
  guest: null,
  call: { call: "POST /status/start", vmid: null, taskType: "vzstart" },
  write: null,
  count: { touched: step, created: true, grown: 0 }
})
const reachedBy = ({ outcome, upid }: OpenStep): number => (outcome !== null ? 2 : upid !== null ? 1 : 0)
const madeSnapshots: ReadonlyArray<MadeSnapshot> = Array.from({ length: 2 }, (_, number) => ({
  guest: { type: "lxc", vmid: Vmid.make(9000 + number) },
  snapshot: SnapshotName.make("felhom-selftest")
}))

const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:")
const opOf = (op: OpId): AcceptedOp => ({
  op,
  source: "signed",
  action: "snapshot.delete",
  subject: "lxc/9999",
  expires: null,
  document: "{}"
})
const call: IntendedCall = { call: "DELETE /snapshot/before", vmid: Vmid.make(9999), taskType: "vzdelsnapshot" }
const entryOf = (op: OpId): AuditEntry => ({
  _tag: "op.accepted",
  op,
  action: "snapshot.delete",
  subject: "lxc/9999",
  principals: ["anna"],
  payload: Sha256Hex.make("0".repeat(64))
})

const found: Effect.Effect<Omit<Kept, "chainWhole">, unknown, Stores> = Effect.gen(function*() {
  const nonces = yield* NonceStore.NonceStore
  const journal = yield* OpJournal.OpJournal
  const open = yield* journal.open
  return {
    epoch: yield* nonces.hostEpoch,
    seq: yield* nonces.storeSeq,
    spent: new Set(yield* Effect.filter(nonceNames, nonces.isSpent)),
    known: new Set(yield* Effect.filter(opNames, journal.isKnown)),
    stages: new Map(open.map(({ op, stage }) => [op, stage])),
    steps: new Map((yield* journal.desired.open).map((step) => [step.step, reachedBy(step)])),
    counted: (yield* journal.desired.counts).created.length,
    made: new Set(
      (yield* Effect.filter(
        madeSnapshots,
        ({ guest, snapshot }) =>
          Effect.match(journal.own({ op: "guest.rollback", guest, snapshot }), {
            onFailure: () => false,
            onSuccess: () => true
          })
      )).map(({ guest }) => String(guest.vmid))
    ),
    entries: (yield* (yield* AuditChain.AuditChain).head).length,
    held: Option.isSome(yield* (yield* Hold.Hold).current)
  }
})

const findIn = (model: Model): Effect.Effect<Kept, unknown> =>
  Effect.gen(function*() {
    const kept = yield* onStores(model, found)
    const audit = model.present().get("/state/audit.log") ?? new Uint8Array()
    const { breaks } = yield* Effect.provide(verifyAudit(audit), testCrypto)
    return { ...kept, chainWhole: breaks.length === 0 }
  })

const stages: ReadonlyArray<OpenOp["stage"]> = ["accepted", "intent", "started", "ended"]

/** Steps in any order of what a host with signed ops does to its stores; what can't follow is left out, as the journal says. */
const lived = (model: Model, random: Random): Effect.Effect<ReadonlyArray<Promised<Kept>>, unknown, Stores> =>
  Effect.gen(function*() {
    const nonces = yield* NonceStore.NonceStore
    const journal = yield* OpJournal.OpJournal
    const chain = yield* AuditChain.AuditChain
    const hold = yield* Hold.Hold
    const now = () => model.moments.length - 1
    const promised: Array<Promised<Kept>> = []
    const promise = (what: string, holds: (kept: Kept) => boolean): Promised<Kept> => {
      const made: Promised<Kept> = { from: now(), what, holds }
      promised.push(made)
      return made
    }
    let epoch: Promised<Kept> | undefined
    let spentBefore: Array<Promised<Kept>> = []
    const anchored = (name: string) => {
      epoch = promise(`the epoch ${name}`, (kept) => kept.epoch === name)
    }
    const spent = (nonce: string) =>
      spentBefore.push(promise(`the nonce ${nonce} as spent`, (kept) => kept.spent.has(nonce)))
    const seqIs = (seq: number) => promise(`the count of changes ${seq}`, (kept) => kept.seq >= seq)
    const entriesAre = (count: number) =>
      promise(`${count} entries of the chain`, (kept) => kept.entries >= count && kept.chainWhole)
    const isKnown = (op: OpId) => promise(`op ${op} as known`, (kept) => kept.known.has(op))
    const stageIs = (op: OpId, stage: OpenOp["stage"]) => {
      const least = stages.indexOf(stage)
      return promise(`op ${op} as ${stage}`, (kept) => {
        const at = kept.stages.get(op)
        return at === undefined ? kept.known.has(op) : stages.indexOf(at) >= least
      })
    }
    const stepsKept = new Map<string, ReadonlyArray<Promised<Kept>>>()
    const stepIs = (step: string, reached: number) => {
      const kept = promise(`the step ${step} at ${reached}`, ({ steps }) => (steps.get(step) ?? -1) >= reached)
      stepsKept.set(step, [...(stepsKept.get(step) ?? []), kept])
    }
    const countIs = (count: number) => promise(`${count} steps that count`, (kept) => kept.counted >= count)
    let held: Promised<Kept> | undefined
    const holdIs = (state: boolean) => {
      held = promise(state ? "the hold" : "the end of the hold", (kept) => kept.held === state)
    }
    const over = (promise: Promised<Kept> | undefined): void => {
      if (promise !== undefined && promise.until === undefined) promise.until = now()
    }

    // What a start has told holds from then on, too.
    const begun = yield* found
    anchored(begun.epoch)
    seqIs(begun.seq)
    begun.spent.forEach(spent)
    begun.known.forEach((op) => isKnown(OpId.make(op)))
    begun.stages.forEach((stage, op) => stageIs(OpId.make(op), stage))
    begun.steps.forEach((reached, step) => stepIs(step, reached))
    countIs(begun.counted)
    entriesAre(begun.entries)
    holdIs(begun.held)
    const owned = new Map<string, Promised<Kept>>()
    const owns = (vmid: string) => owned.set(vmid, promise(`the record of ${vmid}`, (kept) => kept.made.has(vmid)))
    begun.made.forEach(owns)

    const oneOf = <A>(all: ReadonlyArray<A>): A => all[below(random, all.length)]!
    const advance = (op: OpId) =>
      Effect.gen(function*() {
        const open = (yield* journal.open).find((other) => other.op === op)
        switch (open?.stage) {
          case undefined:
            if (yield* journal.isKnown(op)) return
            yield* journal.accepted(opOf(op))
            isKnown(op)
            stageIs(op, "accepted")
            return
          case "accepted":
            yield* journal.intent(op, call)
            stageIs(op, "intent")
            return
          case "intent":
            yield* journal.started(op, upid)
            stageIs(op, "started")
            return
          case "started":
            yield* journal.ended(op, { end: "finished", detail: "OK" })
            stageIs(op, "ended")
            return
          case "ended":
            yield* journal.reported(op)
        }
      })
    const proceed = (step: string) =>
      Effect.gen(function*() {
        const { desired } = journal
        const open = (yield* desired.open).find((other) => other.step === step)
        if (open === undefined) {
          yield* desired.begun(stepOf(step))
          stepIs(step, 0)
          return void countIs((yield* desired.counts).created.length)
        }
        if (open.outcome !== null) {
          stepsKept.get(step)?.forEach(over)
          stepsKept.delete(step)
          return yield* desired.told(step)
        }
        if (open.upid === null) {
          yield* desired.started(step, upid)
          return void stepIs(step, 1)
        }
        yield* desired.ended(step, { end: "finished", detail: "OK" })
        return void stepIs(step, 2)
      })
    const spend = (nonce: string) =>
      Effect.matchEffect(
        Effect.flatMap(Clock.currentTimeMillis, (now) => nonces.spend(nonce, EpochMillis.make(now + 3_600_000))),
        {
          onFailure: (error) => (error._tag === "NonceSpent" ? Effect.void : Effect.fail(error)),
          onSuccess: () =>
            Effect.map(nonces.storeSeq, (seq) => {
              spent(nonce)
              seqIs(seq)
            })
        }
      )
    const step = Effect.suspend((): Effect.Effect<void, unknown> => {
      switch (below(random, 11)) {
        case 0:
        case 1:
          return spend(oneOf(nonceNames))
        case 2:
          return Effect.forEach([oneOf(nonceNames), oneOf(nonceNames), oneOf(nonceNames)], spend, {
            concurrency: "unbounded",
            discard: true
          })
        case 3:
        case 4:
          return advance(oneOf(opNames.slice(0, 1 + below(random, 5))))
        case 5:
          return Effect.map(chain.append(entryOf(oneOf(opNames))), ({ length }) => void entriesAre(length))
        case 6: {
          const snapshot = oneOf(madeSnapshots)
          const vmid = String(snapshot.guest.vmid)
          if (!owned.has(vmid)) {
            return Effect.map(journal.made(snapshot, { _tag: "ok", upid }), () => void owns(vmid))
          }
          over(owned.get(vmid))
          owned.delete(vmid)
          return journal.gone(snapshot)
        }
        case 8:
        case 9:
          return proceed(oneOf(stepNames))
        case 7:
          over(held)
          return Effect.flatMap(hold.current, (current) =>
            Option.isSome(current)
              ? Effect.map(hold.release, () => holdIs(false))
              : Effect.map(hold.set("root", "looking"), () => holdIs(true)))
        default: {
          if (random() > 0.2) return Effect.asVoid(nonces.lastSeenTime)
          over(epoch)
          spentBefore.forEach(over)
          spentBefore = []
          return Effect.map(nonces.reanchor, anchored)
        }
      }
    })
    yield* Effect.repeatN(step, 1 + below(random, 12))
    return promised
  })

/** Everything that signed ops are kept in: nonces, the journal, the audit chain and the hold, in one folder. */
export const storesKeeper: Keeper<Kept> = {
  name: "nonces, journal, audit chain and hold",
  live: (model, random) => Effect.orDie(onStores(model, lived(model, random))),
  find: findIn
}
