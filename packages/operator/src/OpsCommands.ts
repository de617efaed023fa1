import { Args, Command, Options } from "@effect/cli"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { isOver, opLimits } from "@felhom/domain/OpsApi"
import type { Crypto } from "@felhom/domain/port/Crypto"
import { decodeSignedOp, opNamespace, type SignedOp } from "@felhom/domain/SignedOp"
import { decodeSigners, type FleetId, signersNamespace } from "@felhom/domain/SignersDocument"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Clock, Console, Effect, Either, Option } from "effect"
import { requiredFleet } from "./ChosenFleet.ts"
import { connectionOptions } from "./Connection.ts"
import { findHost } from "./FindHost.ts"
import { type ToldOp, toldOps } from "./HostWord.ts"
import { HubOps } from "./HubOps.ts"
import { HubReader } from "./HubReader.ts"
import { HubSigners } from "./HubSigners.ts"
import { approvalOptions, approved, delivered } from "./OpApproval.ts"
import { documentOf, type OpDocument } from "./OpDocument.ts"
import { OperatorError } from "./OperatorError.ts"
import { type Operation, operationOn, trustIn } from "./OpExpectation.ts"
import { readOpFile } from "./OpFile.ts"
import { sightOf } from "./OpSight.ts"
import { renderOps, shortOp } from "./OpsView.ts"
import { colours, output, print, withOps } from "./Root.ts"
import type { Witnessed } from "./SignedHost.ts"
import { approvedList, deliveredList } from "./SignersApproval.ts"
import { isSignersFile, readSignersFile } from "./SignersFile.ts"
import { signersLayer } from "./SignersLayer.ts"
import { followed } from "./SignersTrail.ts"
import { signedWith } from "./SshKeygen.ts"
import { trustLayer } from "./TrustCommands.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

/** How long what is over stays in the list, in milliseconds. */
const lately = 86_400_000

const listed = (ops: ReadonlyArray<ToldOp>): string =>
  ops.map(({ state, summary: { node, op } }) => `${op.slice(0, shortOp)} on ${node ?? "?"} (${state})`).join(", ")

const counted = (ops: ReadonlyArray<ToldOp>): string => `${ops.length} ${ops.length === 1 ? "op" : "ops"}`

const concernSentence = (ops: ReadonlyArray<ToldOp>): Option.Option<string> => {
  const bad = ops.filter(({ state }) => ["refused", "failed", "unknown"].includes(state))
  const forged = ops.filter(({ word }) => word.by === "forger")
  const sentences = [
    ...(bad.length === 0 ? [] : [`${counted(bad)} did not end well: ${listed(bad)}`]),
    ...(forged.length === 0
      ? []
      : [`what the hub shows of ${counted(forged)} as the host's word is not: ${listed(forged)}`])
  ]
  return sentences.length === 0 ? Option.none() : Option.some(sentences.join("; "))
}

const someHost = Options.text("host").pipe(
  Options.optional,
  Options.withDescription("Only those of this host, by its node name or the beginning of its id")
)

const ops = Command.make(
  "ops",
  {
    host: someHost,
    all: Options.boolean("all").pipe(Options.withDescription("Also those that were over more than a day ago")),
    ...connectionOptions,
    output
  },
  ({ all, host, output, ...options }) =>
    withOps(
      options,
      Effect.gen(function*() {
        const hub = yield* HubOps
        const reader = yield* HubReader
        const found = yield* Option.match(host, {
          onNone: () => hub.all,
          onSome: (text) =>
            Effect.flatMap(
              Effect.flatMap(reader.hosts, (list) => findHost(list, text)),
              (one) => hub.ofHost(one.host.id)
            )
        })
        const now = yield* Clock.currentTimeMillis
        const shown = found.filter(({ changedAt, state }) => all || !isOver(state) || now - changedAt < lately)
        const told = yield* toldOps(shown)
        yield* output === "json"
          ? Console.log(JSON.stringify(told.map(({ message, state, summary, word }) => ({
            ...summary,
            state,
            message,
            word
          }))))
          : print(renderOps(told, now, yield* colours))
        const concern = concernSentence(told.filter(({ summary }) => now - summary.changedAt < lately))
        if (Option.isSome(concern)) return yield* new OperatorError({ reason: "attention", detail: concern.value })
      }).pipe(Effect.provide(trustLayer))
    )
).pipe(
  Command.withDescription(
    "Signed ops: awaiting, accepted, done or refused, and why, in the hosts' own signed words where there are any; exits 1 when one did not end well within a day"
  )
)

/** Signed bytes as they came, and what they say. */
interface Proposal {
  readonly signed: SignedBytes
  readonly bytes: Uint8Array
  readonly op: SignedOp
  readonly needs: number
  readonly document: OpDocument | null
}

const read = (
  signed: SignedBytes,
  bytes: Uint8Array,
  needs: number
): Effect.Effect<Proposal, OperatorError, Crypto> =>
  Effect.gen(function*() {
    const op = yield* Either.mapLeft(decodeSignedOp(bytes), ({ message }) => usage(message))
    return { signed, bytes, op, needs, document: yield* documentOf(op, signed.document) }
  })

const namesHash = (what: string): boolean => /^[0-9a-f]{8,64}$/.test(what)

const fromHub = (prefix: string) =>
  Effect.gen(function*() {
    const hub = yield* HubOps
    const found = (yield* hub.all).filter(({ op, submittedBy }) => submittedBy !== null && op.startsWith(prefix))
    const [only] = found
    if (only === undefined || found.length > 1) {
      return yield* usage(
        only === undefined
          ? `the hub has neither an op nor a list of signers ${prefix}, and there is no such file; see felhom ops`
          : `${found.length} ops begin with ${prefix}; give more of it`
      )
    }
    const { signed, summary } = yield* hub.one(only.host, only.op)
    const bytes = yield* Either.mapLeft(decodeCanonicalBase64(signed.payload), (why) =>
      usage(`the hub's payload: ${why}`))
    return yield* read(signed, bytes, summary.needs)
  })

const proposal = (what: string) =>
  namesHash(what)
    ? fromHub(what)
    : Effect.flatMap(readOpFile(what), ({ bytes, signed }) => read(signed, bytes, 1))

/** JSON with the keys of every object in one order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner)

const same = (one: SignedOp, other: Operation): boolean => canonical(one.expect) === canonical(other.expect)

/** Why a host, as it is by its own word, would not do this; undefined when nothing speaks against it. */
const objection = (op: SignedOp, sight: Witnessed, now: number): string | undefined => {
  const trust = trustIn(sight)
  if (Either.isLeft(trust)) return trust.left
  if (op.hostEpoch !== trust.right.opEpoch) return "it is for an earlier record of spent ops, or for another host's"
  if (op.storeSeqMin > trust.right.storeSeq) {
    return "it names a state of the host that is yet to come: was the host set back?"
  }
  if (op.exp <= now) return "it is over: sign a new one"
  const operation = operationOn(sight, op)
  if (Either.isLeft(operation)) return operation.left
  return same(op, operation.right)
    ? undefined
    : "what it says was there is not what the host says is there; somebody changed the one or the other"
}

const what = Args.text({ name: "what" }).pipe(
  Args.withDescription(
    "A file that --out wrote, or the beginning of an op's hash as in felhom ops, or of a list's as in felhom signers log"
  )
)

/** The list of signers that is meant, from a file or from the hub; none when it is no list. */
const proposedList = (what: string) =>
  Effect.gen(function*() {
    if (!namesHash(what)) {
      if (!(yield* isSignersFile(what))) return Option.none()
      const { bytes, document, signed } = yield* readSignersFile(what)
      return Option.some({ bytes, document, signed, needs: 1 })
    }
    const hub = yield* HubSigners
    const [entry, ...more] = (yield* hub.list).filter(({ sha256 }) => sha256.startsWith(what))
    if (entry === undefined || more.length > 0) return Option.none()
    const { signed } = yield* hub.one(entry.fleet, entry.version)
    const bytes = yield* Either.mapLeft(decodeCanonicalBase64(signed.payload), (why) =>
      usage(`the hub's payload: ${why}`))
    const document = yield* Either.mapLeft(decodeSigners(bytes), ({ message }) =>
      usage(message))
    return Option.some({ bytes, document, signed, needs: entry.needs })
  })

/** What this machine knows of the fleet, followed to its last version. */
const trailFor = (fleet: FleetId) =>
  Effect.gen(function*() {
    const { notes, trail } = yield* Effect.flatMap(requiredFleet(Option.some(fleet)), followed)
    if (notes.length > 0) {
      return yield* new OperatorError({ reason: "distrust", detail: `nothing was done: ${notes.join("; ")}` })
    }
    return trail
  })

const signCommand = Command.make(
  "sign",
  { what, ...approvalOptions, ...connectionOptions },
  ({ fingerprint, hub, tokenFile, what, ...approval }) =>
    withOps(
      { fingerprint, hub, tokenFile },
      Effect.gen(function*() {
        const list = yield* proposedList(what)
        if (Option.isSome(list)) {
          const { bytes, document, needs, signed } = list.value
          const trail = yield* trailFor(document.fleet)
          const options = { ...approval, needs: Option.some(Math.max(approval.needs, needs)) }
          return yield* approvedList(trail, { bytes, signatures: signed.signatures }, options)
        }
        const { bytes, document, needs, op, signed } = yield* proposal(what)
        const sight = yield* sightOf(op.host)
        const why = objection(op, sight, yield* Clock.currentTimeMillis)
        if (why !== undefined) {
          return yield* new OperatorError({
            reason: "distrust",
            detail: `nothing was signed: held against what host ${sight.report.host.node} said itself, ${why}`
          })
        }
        const keys = yield* Effect.forEach(signed.signatures, (one) => signedWith(one, bytes, opNamespace))
        yield* Effect.forEach(keys, (key) => print([`signed already with ${key}`]), { discard: true })
        const options = { ...approval, needs: Math.max(approval.needs, needs) }
        yield* approved({ bytes, op, signatures: signed.signatures, document }, sight, options)
      }).pipe(Effect.provide(signersLayer))
    )
).pipe(
  Command.withDescription(
    "Sign the same bytes as somebody else did, an op or a list of signers: shows them in the same words, held against what the host says itself, or against the list before (operator)"
  )
)

const submit = Command.make(
  "submit",
  {
    file: Args.text({ name: "file" }).pipe(
      Args.withDescription("{\"payload\": base64, \"signatures\": [armored, ...]}, as --out writes it")
    ),
    host: Options.text("host").pipe(
      Options.optional,
      Options.withDescription(
        "The host that an op is for, by its node name or the beginning of its id; a list of signers is for all"
      )
    ),
    needs: approvalOptions.needs,
    wait: approvalOptions.wait,
    ...connectionOptions
  },
  ({ file, host, needs, wait, ...options }) =>
    withOps(
      options,
      Effect.gen(function*() {
        if (needs < 1 || needs > opLimits.signatures) return yield* usage(`--needs is 1 to ${opLimits.signatures}`)
        if (yield* isSignersFile(file)) {
          const { bytes, document, signed } = yield* readSignersFile(file)
          yield* Effect.forEach(signed.signatures, (one) => signedWith(one, bytes, signersNamespace), { discard: true })
          return yield* deliveredList(yield* trailFor(document.fleet), signed, { needs, out: Option.none() })
        }
        const { bytes, signed } = yield* readOpFile(file)
        const { op } = yield* read(signed, bytes, needs)
        if (Option.isNone(host)) return yield* usage("--host names the host that an op is for; nothing was sent")
        const hub = yield* HubReader
        const found = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, host.value))
        if (op.host !== found.host.id) {
          return yield* usage(
            `${file} is for host ${op.host}, and ${found.host.node} is ${found.host.id}; nothing was sent`
          )
        }
        yield* Effect.forEach(signed.signatures, (one) => signedWith(one, bytes, opNamespace), { discard: true })
        yield* delivered(found.host.id, signed, { needs, out: Option.none(), wait })
      }).pipe(Effect.provide(signersLayer))
    )
).pipe(
  Command.withDescription(
    "Bring a signed op to the hub, which hands it to the host, or a signed list of signers, which it hands to all (operator)"
  )
)

/** Signed ops on their way. */
export const opsCommands = [ops, signCommand, submit] as const
