import { AcceptedPolicy } from "@felhom/authz/AcceptedPolicy"
import { HostPolicy } from "@felhom/authz/HostPolicy"
import type { Attachment } from "@felhom/authz/OpAttachment"
import { Signers, type SignersUnavailable } from "@felhom/authz/Signers"
import { SignersChain, signersUnmet } from "@felhom/authz/SignersChain"
import type { SignersRefused } from "@felhom/authz/SignersRefused"
import type { DurableFileError } from "@felhom/domain/port/DurableFile"
import type { SignedOp } from "@felhom/domain/SignedOp"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import { Hold } from "@felhom/durable/Hold"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import { NonceStore } from "@felhom/durable/NonceStore"
import { Context, Data, Effect, Layer, Option } from "effect"
import { DesiredStore, type HeldDesired } from "../desired/DesiredStore.ts"
import { TrustNews } from "../trust/TrustNews.ts"
import type { Unmet } from "./Expectation.ts"
import { OpNews } from "./OpNews.ts"

/** What an op on the agent itself is called. */
const localOps = ["store.reanchor", "hold.release", "signers.update", "policy.widen", "desired.accept_epoch"] as const

/** An op on the agent itself. */
export type LocalOp = Extract<SignedOp, { readonly op: (typeof localOps)[number] }>

const names: ReadonlySet<string> = new Set(localOps)

export const isLocal = (op: SignedOp): op is LocalOp => names.has(op.op)

type LocalOpError = DurableLogError | DurableFileError | KeptDocumentError | SignersRefused | SignersUnavailable

/** Ops that take nothing from Proxmox: each is done in one step on the host's own disk. */
export class LocalOps extends Context.Tag("felhom/reconciler/LocalOps")<LocalOps, {
  /** Why the host is not as the operator was shown it; undefined when it is. */
  readonly unmet: (op: LocalOp) => Effect.Effect<Unmet, LocalOpError>
  /** Does it. Where the host is not any more what was shown, it says why and does nothing. */
  readonly perform: (op: LocalOp, attachment: Attachment | null) => Effect.Effect<Unmet, LocalOpError>
  /** Whether it was done, for an op that a crash interrupted. */
  readonly done: (op: LocalOp) => Effect.Effect<boolean, LocalOpError>
}>() {}

type Needs =
  | NonceStore
  | Hold
  | Signers
  | SignersChain
  | HostPolicy
  | AcceptedPolicy
  | DesiredStore
  | TrustNews
  | OpNews

type OpOf<Name extends LocalOp["op"]> = Extract<LocalOp, { readonly op: Name }>

const nothing: Unmet = undefined

class NotAsShown extends Data.TaggedError("NotAsShown")<{ readonly unmet: string }> {}

const epochUnmet = (held: Option.Option<HeldDesired>, op: OpOf<"desired.accept_epoch">): Unmet => {
  const { epoch, version } = Option.getOrElse(held, () => ({ epoch: null, version: 0 }))
  // Versions of one epoch never begin anew: old ones would be taken again.
  if (epoch === op.target.epoch) return `the host goes by the epoch ${epoch} already`
  return epoch === op.expect.epoch && version === op.expect.version
    ? undefined
    : `the host goes by ${epoch === null ? "no epoch" : `version ${version} of the epoch ${epoch}`}`
}

/** Over the stores. */
export const make: Effect.Effect<typeof LocalOps.Service, never, Needs> = Effect.gen(function*() {
  const nonces = yield* NonceStore
  const hold = yield* Hold
  const signers = yield* Signers
  const chain = yield* SignersChain
  const policy = yield* HostPolicy
  const accepted = yield* AcceptedPolicy
  const desired = yield* DesiredStore
  const trustNews = yield* TrustNews
  const news = yield* OpNews

  const policyUnmet = (sha256: string | null, op: OpOf<"policy.widen">): Unmet =>
    sha256 === op.expect.sha256 ? undefined : `another policy holds, ${sha256 ?? "the usual one"}`

  const unmet = (op: LocalOp): Effect.Effect<Unmet, LocalOpError> => {
    switch (op.op) {
      case "store.reanchor":
        // It goes on by itself, so it may be farther than shown, and never less far.
        return Effect.map(
          nonces.storeSeq,
          (seq) => seq < op.expect.storeSeq ? `the host knows only ${seq} changes` : undefined
        )
      case "hold.release":
        return Effect.map(
          hold.current,
          Option.match({
            onNone: () => "the host is not held",
            onSome: ({ since }) => (since === op.expect.since ? undefined : "another hold was set since")
          })
        )
      case "signers.update":
        return Effect.map(signers.current, (reading) => signersUnmet(reading, op.expect))
      case "policy.widen":
        return Effect.map(policy.current, ({ sha256 }) => policyUnmet(sha256, op))
      case "desired.accept_epoch":
        return Effect.map(desired.current, (held) => epochUnmet(held, op))
    }
  }

  const widen = (op: OpOf<"policy.widen">, document: Uint8Array) =>
    Effect.gen(function*() {
      // One reading for both: what root edits after it holds again.
      const { root, sha256 } = yield* policy.current
      const changed = policyUnmet(sha256, op)
      if (changed !== undefined) return changed
      yield* accepted.keep(document, root)
      yield* trustNews.policyChanged(sha256, op.target.sha256)
      return nothing
    })

  const acceptEpoch = (op: OpOf<"desired.accept_epoch">) =>
    desired.change((held) => {
      const changed = epochUnmet(held, op)
      return changed === undefined
        ? Effect.succeed({ epoch: op.target.epoch, version: 0, bytes: undefined })
        : Effect.fail(new NotAsShown({ unmet: changed }))
    }).pipe(
      Effect.zipRight(trustNews.epochAccepted(op.expect.epoch, op.target.epoch)),
      Effect.as(nothing),
      Effect.catchTag("NotAsShown", ({ unmet }) => Effect.succeed<Unmet>(unmet))
    )

  const perform = (op: LocalOp, attachment: Attachment | null): Effect.Effect<Unmet, LocalOpError> => {
    switch (op.op) {
      case "store.reanchor":
        return Effect.as(nonces.reanchor, nothing)
      case "hold.release":
        return Effect.as(
          Effect.zipRight(hold.release, news.released("an operator's signature", op.reason)),
          nothing
        )
      case "signers.update":
        return attachment?.op !== "signers.update"
          ? Effect.dieMessage("signers.update without its document")
          : Effect.tap(
            chain.adopt(attachment.signed, op.expect),
            (changed) => changed === undefined ? trustNews.signersTaken(attachment.version) : Effect.void
          )
      case "policy.widen":
        return attachment?.op !== "policy.widen"
          ? Effect.dieMessage("policy.widen without its document")
          : widen(op, attachment.document)
      case "desired.accept_epoch":
        return acceptEpoch(op)
    }
  }

  const done = (op: LocalOp): Effect.Effect<boolean, LocalOpError> => {
    switch (op.op) {
      case "store.reanchor":
        return Effect.map(nonces.hostEpoch, (epoch) => epoch !== op.hostEpoch)
      case "hold.release":
        return Effect.map(hold.current, (held) => Option.isNone(held) || held.value.since !== op.expect.since)
      case "signers.update":
        return Effect.map(
          signers.current,
          ({ followed, held }) => followed && Option.isSome(held) && held.value.sha256 === op.target.sha256
        )
      case "policy.widen":
        return Effect.map(policy.current, ({ sha256 }) => sha256 === op.target.sha256)
      case "desired.accept_epoch":
        return Effect.map(desired.current, (held) => Option.isSome(held) && held.value.epoch === op.target.epoch)
    }
  }

  return LocalOps.of({ unmet, perform, done })
})

export const layer: Layer.Layer<LocalOps, never, Needs> = Layer.effect(LocalOps, make).pipe(
  Layer.ensureRequirementsType<Needs>()
)
