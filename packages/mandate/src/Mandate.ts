import { formatGuestRef, type GuestRef, type SnapshotName } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import { Context, Effect, Layer, Schema } from "effect"

/** Everything that can be lost, by what it would be done to. Closed: a call that destroys something else has no mandate to ask for. */
export type Destruction =
  | { readonly op: "snapshot.delete"; readonly guest: GuestRef; readonly snapshot: SnapshotName }
  | { readonly op: "guest.rollback"; readonly guest: GuestRef; readonly snapshot: SnapshotName }

/** `snapshot.delete lxc/101 felhom-selftest` */
export const formatDestruction = (destruction: Destruction): string =>
  `${destruction.op} ${formatGuestRef(destruction.guest)} ${destruction.snapshot}`

/** Why a mandate may exist: the agent's own record of what it made. */
export interface OwnEvidence {
  readonly kind: "own"
  /** The awaited task that made the object. */
  readonly madeBy: Upid
}

/** A mandate was shown for another object or op, or for a second time. Nothing was sent. */
export class MandateRefused extends Schema.TaggedError<MandateRefused>()("MandateRefused", {
  reason: Schema.Literal("spent", "other"),
  held: Schema.String,
  asked: Schema.String
}) {
  override get message(): string {
    return this.reason === "spent"
      ? `the mandate for ${this.held} was used already; each allows one call`
      : `a mandate for ${this.held} does not allow ${this.asked}`
  }
}

interface Minted {
  readonly key: string
  readonly evidence: OwnEvidence
  spent: boolean
}

// Only this module can write here: an object that merely looks like a mandate is not in it.
const registry = new WeakMap<Mandate, Minted>()

/**
 * The right to destroy one object, once. It can't be built outside of this module, nor forged by a cast: `redeem` looks it up
 * among those that were minted.
 */
export class Mandate {
  readonly #nominal = true
  private constructor() {}

  /**
   * Takes the right for exactly this destruction; the next `redeem` of the same mandate fails. A forged mandate is a defect
   * of the program, not a failure of the call, and dies.
   */
  static redeem(mandate: Mandate, destruction: Destruction): Effect.Effect<OwnEvidence, MandateRefused> {
    return Effect.suspend(() => {
      const minted = typeof mandate === "object" && mandate !== null ? registry.get(mandate) : undefined
      const asked = formatDestruction(destruction)
      if (minted === undefined) return Effect.dieMessage(`forged mandate presented for ${asked}`)
      if (minted.key !== asked) {
        return Effect.fail(new MandateRefused({ reason: "other", held: minted.key, asked }))
      }
      if (minted.spent) return Effect.fail(new MandateRefused({ reason: "spent", held: minted.key, asked }))
      minted.spent = true
      return Effect.succeed(minted.evidence)
    })
  }

  /** The mint's service. Its layer is provided in one place, to the few that may mint. */
  static readonly mintLayer: Layer.Layer<MandateMint> = Layer.suspend(() =>
    Layer.succeed(MandateMint, {
      own: (destruction, madeBy) =>
        Effect.sync(() => {
          const mandate = new Mandate()
          registry.set(mandate, {
            key: formatDestruction(destruction),
            evidence: { kind: "own", madeBy },
            spent: false
          })
          return mandate
        })
    })
  )

  /** What a log shows of it: never more than that it is one. */
  toString(): string {
    return this.#nominal ? "Mandate(<redacted>)" : ""
  }
}

/** Makes mandates. Required only by what checks the evidence: the journal for `own`. */
export class MandateMint extends Context.Tag("felhom/mandate/MandateMint")<MandateMint, {
  /** For an object that this agent made itself, as the awaited task `madeBy` shows. */
  readonly own: (destruction: Destruction, madeBy: Upid) => Effect.Effect<Mandate>
}>() {}
