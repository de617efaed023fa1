import type { SignedBytes } from "@felhom/domain/Envelope"
import { verifyAudit } from "@felhom/durable/AuditVerdict"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Planned } from "./HostProcess.ts"
import { type Home, type Reached, stateFolder, type Told } from "./Life.ts"
import type { Report } from "./Report.ts"
import { type CallName, callNames, type Counts, freshNonce, type Scene } from "./Scene.ts"

/** The ops that the hub has, each for one call. */
export interface Offered {
  readonly call: CallName
  readonly nonce: string
  readonly signed: SignedBytes
}

/** One life without any trap. */
export type Revive = (planned: Planned) => Effect.Effect<Report, { readonly message: string }>

/** What a life has left. */
export interface Left {
  readonly folder: string
  readonly offered: ReadonlyArray<Offered>
  /** Before anything was offered. */
  readonly before: Counts
  /** What the host has said of desired state and signers. */
  readonly reached: Reached
}

/** The hub's envelopes for these ops: with each of the first two come a version of desired state and one of the signers. */
export const envelopesOf = (scene: Scene, offered: ReadonlyArray<Offered>): Home["envelopes"] =>
  offered.map(({ signed }, at) => ({
    ops: [signed],
    signers: scene.chain.slice(at, at + 1),
    ...(at === 0 ? { desired: scene.wishes[0] } : at === 1 ? { desired: scene.wishes[1] } : {})
  }))

/** What came of one host whose agent was killed or whose disk failed, after it was started again. */
export interface Verdict {
  /** How each op ended, and after how many calls: `finished after 1`. */
  readonly outcomes: ReadonlyArray<string>
  /** Whatever must not be. Empty when all is well. */
  readonly wrongs: ReadonlyArray<string>
}

export const offer = (scene: Scene, names: ReadonlyArray<CallName>): Effect.Effect<ReadonlyArray<Offered>> =>
  Effect.forEach(names, (call) => {
    const nonce = freshNonce()
    return Effect.map(scene.signed(call, nonce, "as the operator wants it"), (signed) => ({ call, nonce, signed }))
  })

/** How the hub knows it: by the hash of its payload. */
export const nameOf = ({ payload }: SignedBytes): string =>
  createHash("sha256").update(Buffer.from(payload, "base64")).digest("hex")

const ends = new Set(["op.finished", "op.failed", "op.unknown"])

/** How often each call was made since. */
export const since = (before: Counts, after: Counts): Counts => ({
  stop: after.stop - before.stop,
  remove: after.remove - before.remove,
  late: after.late - before.late,
  other: after.other - before.other
})

/** Whether what is told of the op is one end, and true. */
const ofOp = ({ call, signed }: Offered, told: ReadonlyArray<Told>, counts: Counts, isDone: boolean) => {
  const name = nameOf(signed)
  const found = new Set(told.flatMap(({ kind, subject }) => (ends.has(kind) && subject === name ? [kind] : [])))
  const [end = "no end", ...others] = found
  const calls = counts[call]
  const wrongs: Array<string> = []
  if (calls > 1) wrongs.push(`${call} was called ${calls} times`)
  if (others.length > 0) wrongs.push(`${call} is said to have ended as ${[...found].join(" and ")}`)
  const truth = isDone ? "op.finished after 1" : "op.failed after 0"
  const outcome = `${end} after ${calls}`
  if (outcome !== truth) wrongs.push(`${call}: ${outcome}, and it is ${isDone ? "done" : "not done"}`)
  return { outcome, wrongs }
}

/** An op by the name that it has in this judgement. */
type Named = Pick<Offered, "signed"> & { readonly call: string }

/** The chain is whole, and tells of every op once that it was accepted. */
export const auditWrongs = (
  home: Pick<Home, "folder">,
  offered: ReadonlyArray<Named>,
  replayed: ReadonlyArray<Named>
) =>
  Effect.gen(function*() {
    const { breaks, links } = yield* verifyAudit(
      readFileSync(join(stateFolder(home), "audit.log"))
    )
    const accepted: ReadonlyArray<string | null> = links.flatMap((
      { entry }
    ) => (entry._tag === "op.accepted" ? [entry.payload] : []))
    return [
      ...breaks.map(({ detail }) => `the audit chain: ${detail}`),
      ...offered.flatMap(({ call, signed }) =>
        accepted.includes(nameOf(signed)) ? [] : [`the audit chain does not know of ${call}`]
      ),
      ...replayed.flatMap(({ call, signed }) =>
        accepted.includes(nameOf(signed)) ? [`the audit chain took a second op with the nonce of ${call}`] : []
      )
    ]
  }).pipe(Effect.provide(NodeCrypto.layer))

/**
 * Starts the agent again on what is left, lets the hub send the same ops once more, and holds all of it against what is true of
 * the host; then puts the host back, so that a replay would show, and sends the ops again, with others that carry their nonces.
 */
export const judged = (
  scene: Scene,
  { before, folder, offered, reached }: Left,
  revive: Revive
): Effect.Effect<Verdict, { readonly message: string }> =>
  Effect.gen(function*() {
    const life = (envelopes: Home["envelopes"]) => revive({ home: scene.homeAt(folder, envelopes), trap: null })
    const again = yield* life(envelopesOf(scene, offered))
    if (again.lived === null) {
      return { outcomes: [], wrongs: [`the restart does not come up: ${again.failure ?? "?"}`] }
    }
    const { first, told, trust } = again.lived
    const wrongs: Array<string> = []
    if (first === null || first.reached.desired < reached.desired || first.reached.fleet < reached.fleet) {
      wrongs.push(`${JSON.stringify(reached)} was taken, and ${JSON.stringify(first?.reached)} is found`)
    }
    if (trust === null) wrongs.push("after the restart the host does not say whom it trusts")
    if (trust !== null && trust.opEpoch !== scene.trust.opEpoch) wrongs.push("the host has another epoch")
    // It stays where it was if no nonce could be spent.
    if (trust !== null && trust.storeSeq < scene.trust.storeSeq) wrongs.push("the count of changes went back")
    const counts = since(before, yield* scene.counts)
    if (counts.other > 0) wrongs.push(`${counts.other} calls that nobody asked for`)
    const outcomes: Array<string> = []
    for (const one of offered) {
      const found = ofOp(one, told, counts, yield* scene.isDone(one.call))
      outcomes.push(found.outcome)
      wrongs.push(...found.wrongs)
    }

    yield* scene.restore
    // Of an op that was never begun the nonce may be free still: to sign another with it is the operator's own affair.
    const done = offered.filter((_, at) => outcomes[at] === "op.finished after 1")
    const replayed = yield* Effect.forEach(done, (one) =>
      Effect.map(scene.signed(one.call, one.nonce, "once more"), (signed) => ({ ...one, signed })))
    const third = yield* life([{
      ops: [...offered, ...replayed].map(({ signed }) =>
        signed
      ),
      signers: [scene.chain[0]],
      desired: scene.wishes[0]
    }])
    const last = third.lived?.trust?.reached
    if (last?.desired !== 2 || last.fleet !== 2) {
      wrongs.push(`the last versions are 2, and it has ${JSON.stringify(last)}`)
    }
    const later = since(before, yield* scene.counts)
    for (const call of callNames) {
      if (later[call] !== counts[call]) wrongs.push(`a replay: ${call} was called again`)
    }
    for (const { call, signed } of replayed) {
      const name = nameOf(signed)
      const refused = third.lived?.told.some(({ kind, message, subject }) =>
        kind === "op.refused" && subject === name && message.includes("(nonce-spent)")
      )
      if (refused !== true) wrongs.push(`the nonce of ${call} was not refused as spent`)
    }
    wrongs.push(...yield* auditWrongs({ folder }, offered, replayed))
    return { outcomes, wrongs }
  })
