import { Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import { isOver, opLimits, type OpState, type OpSummary } from "@felhom/domain/OpsApi"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import type { SignedOp } from "@felhom/domain/SignedOp"
import { Clock, Effect, Encoding, Option } from "effect"
import { HubOps } from "./HubOps.ts"
import { Input } from "./Input.ts"
import { confirmations, displayedOp } from "./OpDisplay.ts"
import { OperatorError } from "./OperatorError.ts"
import { writeOpFile } from "./OpFile.ts"
import { colours, print } from "./Root.ts"
import type { Witnessed } from "./SignedHost.ts"
import { sign, signingKey } from "./SshKeygen.ts"
import { paint } from "./Table.ts"

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
      "Wait for how it ends: exits 0 when it is finished, 1 when it is refused, failed or unknown"
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
const confirmed = (op: SignedOp, sight: Witnessed, yesIMean: Option.Option<string>) =>
  Effect.gen(function*() {
    const tone = yield* colours
    const lines = displayedOp(op, sight, yield* Clock.currentTimeMillis)
    yield* print(lines.map((line) => paint(line, tone)))
    const wanted = confirmations(op, sight)
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

/** Follows an op at the hub, in the hub's words, to its end. */
export const followed = (host: HostId, op: Sha256Hex): Effect.Effect<void, OperatorError, HubOps> =>
  Effect.gen(function*() {
    const hub = yield* HubOps
    let last: OpState | undefined
    for (;;) {
      const { summary } = yield* hub.one(host, op)
      if (summary.state !== last) {
        yield* print([`${summary.state}${summary.message === null ? "" : `: ${displayText(summary.message)}`}`])
        last = summary.state
      }
      if (summary.state === "finished") return
      if (isOver(summary.state)) {
        return yield* new OperatorError({
          reason: "attention",
          detail: `op ${op.slice(0, 12)} ${ended[summary.state] ?? summary.state}${
            summary.message === null ? "" : `: ${displayText(summary.message)}`
          }`
        })
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

/** Shows an op, has it confirmed, signs exactly these bytes, checks the result, and brings it on its way. */
export const approved = (
  made: { readonly bytes: Uint8Array; readonly op: SignedOp; readonly signatures: ReadonlyArray<string> },
  sight: Witnessed,
  options: ApprovalOptions
) =>
  Effect.gen(function*() {
    const { bytes, op, signatures } = made
    if (options.needs < 1 || options.needs > opLimits.signatures) {
      return yield* usage(`--needs is 1 to ${opLimits.signatures}`)
    }
    // Before the person has typed a name for nothing.
    const key = yield* signingKey(options.key)
    yield* confirmed(op, sight, options.yesIMean)
    const { fingerprint, signature } = yield* sign(key, bytes)
    const hash = yield* Effect.flatMap(Crypto, (crypto) => crypto.sha256(bytes))
    yield* print([`signed ${hash} with ${fingerprint}`])
    const all = Array.from(new Set([...signatures, signature]))
    yield* delivered(op.host, { payload: Encoding.encodeBase64(bytes), signatures: all }, options)
  })
