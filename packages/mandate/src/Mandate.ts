import { formatGuestRef, type GuestRef, type SnapshotName, type StorageId, type Volid } from "@felhom/domain/ProxmoxId"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import type { Upid } from "@felhom/domain/Upid"
import { Context, Effect, Layer, Schema } from "effect"

/** What is lost of one guest's history. */
export type SnapshotDestruction =
  | { readonly op: "snapshot.delete"; readonly guest: GuestRef; readonly snapshot: SnapshotName }
  | { readonly op: "guest.rollback"; readonly guest: GuestRef; readonly snapshot: SnapshotName }

/**
 * Everything that can be lost, by what it would be done to, each bound to one object. Closed: a call that destroys something
 * else has no mandate to ask for.
 */
export type Destruction =
  | SnapshotDestruction
  /** The guest and every volume that it owns; with `unreferencedDisks` also those that its configuration does not name. */
  | { readonly op: "guest.destroy"; readonly guest: GuestRef; readonly unreferencedDisks: boolean }
  /** What the guest holds in memory and has not written. */
  | { readonly op: "guest.stop_hard"; readonly guest: GuestRef }
  /** The guest as it stands, for what this one archive holds. */
  | { readonly op: "guest.restore_over"; readonly guest: GuestRef; readonly archive: Volid }
  | { readonly op: "backup.delete"; readonly volid: Volid }
  | { readonly op: "backup.unprotect"; readonly volid: Volid }
  | { readonly op: "volume.delete"; readonly volid: Volid }
  /** The configuration of a storage, with the password and the encryption key that Proxmox keeps for it. */
  | { readonly op: "storage.remove"; readonly storage: StorageId }

const objectOf = (destruction: Destruction): string => {
  switch (destruction.op) {
    case "snapshot.delete":
    case "guest.rollback":
      return `${formatGuestRef(destruction.guest)} ${destruction.snapshot}`
    case "guest.destroy":
      return destruction.unreferencedDisks
        ? `${formatGuestRef(destruction.guest)} with unreferenced disks`
        : formatGuestRef(destruction.guest)
    case "guest.stop_hard":
      return formatGuestRef(destruction.guest)
    case "guest.restore_over":
      return `${formatGuestRef(destruction.guest)} ${destruction.archive}`
    case "backup.delete":
    case "backup.unprotect":
    case "volume.delete":
      return destruction.volid
    case "storage.remove":
      return destruction.storage
  }
}

/**
 * `snapshot.delete lxc/101 felhom-selftest`. No two destructions read the same: what may hold a space, a volume id, stands
 * last.
 */
export const formatDestruction = (destruction: Destruction): string => `${destruction.op} ${objectOf(destruction)}`

/** Why a mandate may exist: the agent's own record of what it made, or what operators signed. */
export type Evidence = OwnEvidence | SignedEvidence

export interface OwnEvidence {
  readonly kind: "own"
  /** The awaited task that made the object. */
  readonly madeBy: Upid
}

export interface SignedEvidence {
  readonly kind: "signed"
  /** Of the exact bytes that were signed. */
  readonly payload: Sha256Hex
  /** Who signed, by their plain names on the host's allow-list. Never empty. */
  readonly principals: ReadonlyArray<string>
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
  readonly evidence: Evidence
  spent: boolean
}

// Only this module can write here: an object that merely looks like a mandate is not in it.
const registry = new WeakMap<Mandate, Minted>()

/**
 * The right to destroy one object, once. It can't be built outside of this module, nor forged by a cast: `redeem` looks it up
 * among those that were minted.
 */
export class Mandate {
  readonly #shown = "Mandate(<redacted>)"
  private constructor() {}

  /**
   * Takes the right for exactly this destruction; the next `redeem` of the same mandate fails. A forged mandate is a defect
   * of the program, not a failure of the call, and dies.
   */
  static redeem(mandate: Mandate, destruction: Destruction): Effect.Effect<Evidence, MandateRefused> {
    return Effect.suspend(() => {
      const minted = registry.get(mandate)
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
  static readonly mintLayer: Layer.Layer<MandateMint> = Layer.suspend(() => {
    const mint = (destruction: Destruction, evidence: Evidence) =>
      Effect.sync(() => {
        const mandate = new Mandate()
        registry.set(mandate, { key: formatDestruction(destruction), evidence, spent: false })
        return mandate
      })
    return Layer.succeed(MandateMint, {
      own: (destruction, madeBy) => mint(destruction, { kind: "own", madeBy }),
      signed: (destruction, evidence) => mint(destruction, { kind: "signed", ...evidence })
    })
  })

  /** What a log shows of it: never more than that it is one. */
  toString(): string {
    return this.#shown
  }
}

/** Makes mandates. Required only by what checks the evidence: the journal for `own`, authz for `signed`. */
export class MandateMint extends Context.Tag("felhom/mandate/MandateMint")<MandateMint, {
  /** For an object that this agent made itself, as the awaited task `madeBy` shows. */
  readonly own: (destruction: Destruction, madeBy: Upid) => Effect.Effect<Mandate>
  /** For what enough operators signed, once its nonce is spent. */
  readonly signed: (destruction: Destruction, evidence: Omit<SignedEvidence, "kind">) => Effect.Effect<Mandate>
}>() {}
