import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import * as AcceptedSigners from "@felhom/authz/AcceptedSigners"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as Signers from "@felhom/authz/Signers"
import type { SignersStatus, TrustStatus } from "@felhom/domain/HostReport"
import * as Hold from "@felhom/durable/Hold"
import * as NonceStore from "@felhom/durable/NonceStore"
import type { fileStamps } from "@felhom/node/NodeFileStamps"
import * as DesiredIntake from "@felhom/reconciler/desired/DesiredIntake"
import { Clock, Context, Effect, Either, Option } from "effect"

/** What comes of root's files and of what was accepted beside them. */
type Told = Pick<TrustStatus, "signers" | "policy" | "hold" | "fleet">

/** What it came of: the files by their stamps, and what was accepted by the objects that the stores hold of it. */
interface Origin {
  readonly stamps: string | undefined
  readonly fleet: AcceptedSigners.HeldSigners | undefined
  readonly widened: AcceptedPolicy.HeldPolicy | undefined
}

const isSame = (one: Origin, other: Origin): boolean =>
  one.stamps !== undefined && one.stamps === other.stamps && one.fleet === other.fleet && one.widened === other.widened

type ReadSigners = Either.Either<Signers.SignersReading, Signers.SignersUnavailable>

const fleetStatus = (
  { document, lists, sha256 }: AcceptedSigners.HeldSigners,
  signers: ReadSigners
): SignersStatus => ({
  fleet: document.fleet,
  version: document.version,
  sha256,
  revoked: lists.revoked,
  followed: Either.isRight(signers) && signers.right.followed
})

/** What failed may do so for the moment only, and the files would not show that it is over. */
const isInOrder = (
  signers: ReadSigners,
  policy: HostPolicy.PolicyReading,
  hold: Option.Option<Hold.HoldState>
): boolean =>
  (Either.isRight(signers) ? Option.isNone(signers.right.problem) : signers.left.reason === "no-signers") &&
  Option.isNone(policy.problem) && Option.isNone(hold)

type Needs =
  | NonceStore.NonceStore
  | Signers.Signers
  | HostPolicy.HostPolicy
  | Hold.Hold
  | AcceptedSigners.AcceptedSigners
  | AcceptedPolicy.AcceptedPolicy
  | DesiredIntake.DesiredIntake

const trustFrom = (
  context: Context.Context<Needs>,
  files: ReadonlyArray<string>,
  stampsOf: typeof fileStamps
): Effect.Effect<TrustStatus | null> => {
  const nonces = Context.get(context, NonceStore.NonceStore)
  const signersFiles = Context.get(context, Signers.Signers)
  const hostPolicy = Context.get(context, HostPolicy.HostPolicy)
  const hold = Context.get(context, Hold.Hold)
  const acceptedSigners = Context.get(context, AcceptedSigners.AcceptedSigners)
  const acceptedPolicy = Context.get(context, AcceptedPolicy.AcceptedPolicy)
  const { held: desiredHeld } = Context.get(context, DesiredIntake.DesiredIntake)
  let last: { readonly origin: Origin; readonly told: Told } | undefined

  /** None where what was accepted can't be read. */
  const origin: Effect.Effect<Option.Option<Origin>> = Effect.option(Effect.gen(function*() {
    const fleet = Option.getOrUndefined(yield* acceptedSigners.current)
    const widened = Option.getOrUndefined(yield* acceptedPolicy.current)
    return { stamps: stampsOf(files, yield* Clock.currentTimeMillis), fleet, widened }
  }))

  // The files were looked at before: one that changes while they are read is read once more.
  const readAnew = (from: Option.Option<Origin>): Effect.Effect<Told> =>
    Effect.gen(function*() {
      const signers = yield* Effect.either(signersFiles.current)
      const policy = yield* hostPolicy.current
      const held = yield* hold.current
      const fleet = yield* Effect.either(acceptedSigners.current)
      const told: Told = {
        signers: Either.isRight(signers) ? signers.right.sha256 : null,
        policy: policy.sha256,
        hold: Option.match(held, { onNone: () => null, onSome: ({ reason, since }) => ({ since, reason }) }),
        // What of it can't be read is left out: a hub must not take that for nothing.
        ...(Either.isLeft(fleet)
          ? {}
          : { fleet: Option.match(fleet.right, { onNone: () => null, onSome: (of) => fleetStatus(of, signers) }) })
      }
      last = Option.isSome(from) && isInOrder(signers, policy, held) ? { origin: from.value, told } : undefined
      return told
    })

  return Effect.gen(function*() {
    // To be asked for regularly: that is how the record of the host's own time goes on.
    yield* Effect.ignore(nonces.trustedTime)
    const from = yield* origin
    const told = Option.isSome(from) && last !== undefined && isSame(from.value, last.origin)
      ? last.told
      : yield* readAnew(from)
    const desired = yield* desiredHeld
    return {
      opEpoch: yield* nonces.hostEpoch,
      storeSeq: yield* nonces.storeSeq,
      ...told,
      ...(desired === undefined ? {} : { desired })
    }
  }).pipe(
    Effect.catchAll((error) => Effect.as(Effect.logDebug("the host can't say whom it trusts", error.message), null))
  )
}

/**
 * What an operator must name in an op for this host; null where the host can't tell. The files, root's and the hold's, are read
 * again once one of them has changed; whoever decides on an op reads them anew each time.
 */
export const makeTrustStatus = (
  files: ReadonlyArray<string>,
  stampsOf: typeof fileStamps
): Effect.Effect<Effect.Effect<TrustStatus | null>, never, Needs> =>
  Effect.map(Effect.context<Needs>(), (context) => trustFrom(context, files, stampsOf))
