import { Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import { isOver, opLimits, type OpState, type OpSummary } from "@felhom/domain/OpsApi"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { opNamespace, type SignedOp } from "@felhom/domain/SignedOp"
import { Clock, Effect, Encoding, Option } from "effect"
import { doubt, type ToldOp, toldOps } from "./HostWord.ts"
import { HubOps } from "./HubOps.ts"
import { Input } from "./Input.ts"
import type { KnownHosts } from "./KnownHosts.ts"
import { confirmations, displayedOp } from "./OpDisplay.ts"
import type { OpDocument } from "./OpDocument.ts"
import { OperatorError } from "./OperatorError.ts"
import { writeOpFile } from "./OpFile.ts"
import { colours, print } from "./Root.ts"
import type { Witnessed } from "./SignedHost.ts"
import { sign, signingKey } from "./SshKeygen.ts"
import { type Cell, paint } from "./Table.ts"

/** How an op is confirmed, signed and sent, for every command that does so. */
export const approvalOptions = {
  key: Options.text("key").pipe(
    Options.optional,
    Options.withDescription(
      "What ssh-keygen signs with: a private key, or a .pub whose key is with an agent (FELHOM_SIGNING_KEY, ~/.config/felhom/signing-key)"
    )
  ),
  yesIMean: Options.text("yes-i-mean").pipe(
    Options.optional,
    Options.withDescription("For scripts: what would be typed to confirm, the guest's name or TYPE NUMBER")
  ),
  out: Options.text("out").pipe(
    Options.optional,
    Options.withDescription(
      "Write the signed op to this file and send it nowhere (felhom-agent ops accept FILE takes it)"
    )
  ),
  needs: Options.integer("needs").pipe(
    Options.withDefault(1),
    Options.withDescription("How many people sign in all: the host is given it once so many signatures are there")
  ),
  wait: Options.boolean("wait").pipe(
    Options.withDescription(
      "Wait for how it ends: exits 0 when the host itself says that it is finished, 1 when it is refused, failed or unknown"
    )
  )
}

export interface ApprovalOptions {
  readonly key: Option.Option<string>
  readonly yesIMean: Option.Option<string>
  readonly out: Option.Option<string>
  readonly needs: number
  readonly wait: boolean
}

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const asTyped = (text: string): string => text.trim().replace("/", " ")

/** Shows what will be done, and goes on only when the person says by name that they mean it. */
const confirmed = (
  { document, op }: Pick<Made, "document" | "op">,
  sight: Witnessed,
  yesIMean: Option.Option<string>
) =>
  Effect.gen(function*() {
    const lines = displayedOp(op, sight, yield* Clock.currentTimeMillis, document?.words)
    yield* meant(lines, confirmations(op, sight), yesIMean)
  })

/** Prints what is to be signed, and fails unless the person types one of the words, of which the first is asked for. */
export const meant = (
  lines: ReadonlyArray<Cell>,
  wanted: ReadonlyArray<string>,
  yesIMean: Option.Option<string>
) =>
  Effect.gen(function*() {
    const tone = yield* colours
    yield* print(lines.map((line) => paint(line, tone)))
    const [first = ""] = wanted
    const typed = yield* Option.match(yesIMean, {
      onNone: () => Effect.flatMap(Input, (input) => input.line(`To sign this, type ${displayText(first)}`)),
      onSome: Effect.succeed
    })
    const means = wanted.some((one) => one === typed.trim() || asTyped(one) === asTyped(typed))
    if (!means) {
      return yield* usage(
        `nothing was signed: ${displayText(JSON.stringify(typed))} is not ${
          wanted.map((one) => displayText(JSON.stringify(one))).join(" or ")
        }`
      )
    }
  })

/** How often the hub is asked while somebody waits, in milliseconds. */
const pollMillis = 1_000

const ended: { readonly [state in OpState]?: string } = {
  refused: "was refused by the host",
  failed: "failed",
  unknown: "ended in a way that nobody knows: look at the host before anything else",
  expired: "expired: the host did not take it in time"
}

const toldLine = (told: ToldOp): string => {
  const whose = told.word.by === "host"
    ? ` (the host's own word, in its report ${told.word.report ?? "?"})`
    : Option.match(doubt(told), { onNone: () => "", onSome: (why) => ` (${displayText(why)})` })
  return `${told.state}${told.message === null ? "" : `: ${displayText(told.message)}`}${whose}`
}

/** Why this is no good end; undefined when the host itself says that it is done. */
const badEnd = (told: ToldOp): string | undefined => {
  const why = Option.getOrUndefined(doubt(told))
  if (told.state === "finished") {
    return why === undefined ? undefined : `is finished by the hub's word, and not by the host's: ${displayText(why)}`
  }
  const message = told.message === null ? "" : `: ${displayText(told.message)}`
  return `${ended[told.state] ?? told.state}${message}${why === undefined ? "" : ` (${displayText(why)})`}`
}

/** Follows an op to its end: by the host's signed word where the hub has one to show, and what only the hub says is marked. */
export const followed = (
  host: HostId,
  op: Sha256Hex
): Effect.Effect<void, OperatorError, HubOps | KnownHosts | Crypto | Ed25519> =>
  Effect.gen(function*() {
    const hub = yield* HubOps
    let last: string | undefined
    for (;;) {
      const { summary } = yield* hub.one(host, op)
      // What it said before is not asked for again; one that waits may come to wait for something else.
      const now = summary.state === "waiting" ? `waiting ${summary.message}` : summary.state
      if (now !== last) {
        const [told] = yield* toldOps([summary])
        if (told !== undefined) {
          yield* print([toldLine(told)])
          last = told.state === "waiting" ? `waiting ${told.message}` : told.state
          if (isOver(told.state)) {
            const bad = badEnd(told)
            if (bad === undefined) return
            return yield* new OperatorError({ reason: "attention", detail: `op ${op.slice(0, 12)} ${bad}` })
          }
        }
      }
      yield* Effect.sleep(pollMillis)
    }
  })

const queuedSentence = ({ needs, op, signatures, state }: OpSummary): string =>
  state === "collecting"
    ? `op ${op} has ${signatures} of ${needs} signatures; the next signs with: felhom sign ${op.slice(0, 12)}`
    : `op ${op} is ${state}; felhom ops shows what becomes of it`

/** Brings a signed op to the hub, or writes it to a file. */
export const delivered = (
  host: HostId,
  signed: SignedBytes,
  { needs, out, wait }: Pick<ApprovalOptions, "needs" | "out" | "wait">
) =>
  Effect.gen(function*() {
    if (Option.isSome(out)) {
      yield* writeOpFile(out.value, signed)
      return yield* print([
        `wrote ${out.value}; it reaches the host with felhom submit ${out.value}, or on the host itself with: ` +
        `felhom-agent ops accept ${out.value}`
      ])
    }
    const hub = yield* HubOps
    const summary = yield* hub.submit(host, signed, needs)
    yield* print([queuedSentence(summary)])
    if (wait) yield* followed(host, summary.op)
  })

/** An op with who signed it already, and what goes with it. */
export interface Made {
  readonly bytes: Uint8Array
  readonly op: SignedOp
  readonly signatures: ReadonlyArray<string>
  readonly document?: OpDocument | null
}

/** Shows an op, has it confirmed, signs exactly these bytes, checks the result, and brings it on its way. */
export const approved = (
  made: Made,
  sight: Witnessed,
  options: ApprovalOptions
) =>
  Effect.gen(function*() {
    const { bytes, document = null, op, signatures } = made
    if (options.needs < 1 || options.needs > opLimits.signatures) {
      return yield* usage(`--needs is 1 to ${opLimits.signatures}`)
    }
    // Before the person has typed a name for nothing.
    const key = yield* signingKey(options.key)
    yield* confirmed(made, sight, options.yesIMean)
    const { fingerprint, signature } = yield* sign(key, bytes, opNamespace)
    const hash = yield* Effect.flatMap(Crypto, (crypto) => crypto.sha256(bytes))
    yield* print([`signed ${hash} with ${fingerprint}`])
    const all = Array.from(new Set([...signatures, signature]))
    const attached = document === null ? {} : { document: Encoding.encodeBase64(document.bytes) }
    yield* delivered(op.host, { payload: Encoding.encodeBase64(bytes), signatures: all, ...attached }, options)
  })
