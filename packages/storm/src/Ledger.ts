import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { SignedOp } from "@felhom/domain/SignedOp"

/** What must hold (docs/architecture.md), by its number there; or that the host comes to be as wished once nothing goes wrong. */
export type InvariantName = `I${number}` | "converges"

/** Something that must never be, was. */
export interface Violation {
  readonly invariant: InvariantName
  readonly detail: string
}

/** An op as operators really signed it. What a hub changed of it is not in here. */
export interface KnownOp {
  /** SHA-256 of its payload. */
  readonly payload: string
  readonly op: SignedOp
  readonly signed: SignedBytes
  /** Those whose signatures hold for exactly these bytes. */
  readonly by: ReadonlyArray<string>
  /** When its nonce was on the disk for good. */
  spent: Moment | undefined
  /** The calls that it led to. */
  readonly calls: Array<Moment>
  /** What it asks for was seen to be so since it was called for. */
  effectSeen: boolean
  /** How its target differed from what was shown when its nonce was spent; undefined: in nothing. */
  unmetWhenSpent: string | undefined
}

/** A place in a schedule. */
export interface Moment {
  readonly elapsed: number
  readonly turn: number
  readonly hostTime: number
}

/** Who may sign, and how many it takes. */
export interface Say {
  readonly allowed: ReadonlySet<string>
  readonly revoked: ReadonlySet<string>
  readonly threshold: number
}

/** Who may sign, and how many it takes, from a moment on: by root's files, and by what operators put in their place. */
export interface Rules extends Say {
  readonly since: number
}

/** What operators put in the place of root's files: each holds while root's is the one that it was taken beside. */
export interface Signed {
  readonly signers: Pick<Say, "allowed" | "revoked"> & { readonly isFollowed: (root: Say) => boolean } | undefined
  readonly policy: Pick<Say, "threshold"> & { readonly isFollowed: (root: Say) => boolean } | undefined
}

const fnvPrime = 0x0100_0193

/** The truth of one schedule, as nobody in it knows it, and the trace of what happened. */
export class Ledger {
  violation: Violation | undefined
  readonly ops = new Map<string, KnownOp>()
  /** By what rules the host goes, the latest last. */
  readonly rules: Array<Rules> = []
  /** What root's files say. */
  root: Say = { allowed: new Set(), revoked: new Set(), threshold: 1 }
  signed: Signed = { signers: undefined, policy: undefined }
  /** Since when root holds the host, in elapsed ms; undefined while nobody does. */
  heldSince: number | undefined
  /** What the hub was told of, by the events' numbers. */
  readonly told = new Map<number, HostEvent>()
  /** How each op was told to have ended, by its payload. */
  readonly ends = new Map<string, Set<string>>()
  /** Ops that were told to have been accepted. */
  readonly accepted = new Set<string>()
  /** When people put another guest under a number, or made or destroyed one there. */
  readonly replacedAt = new Map<number, number>()
  /** When something else than the agent last filled a storage. */
  filledAt: number | undefined
  /** Requests so far that changed something without destroying it. */
  changes = 0
  /** Requests so far that destroyed something. */
  destroyed = 0
  /** Numbers under which the agent asked for a new guest, each time that it did. */
  readonly created: Array<number> = []
  /** Numbers that the agent made a guest under. */
  readonly made = new Set<number>()
  /** Those of them that were seen to run. */
  readonly started = new Set<number>()
  readonly lines: Array<string> = []
  readonly #keepsLines: boolean
  readonly #where: () => Moment
  #hash = 0x811c_9dc5

  constructor(where: () => Moment, keepsLines: boolean) {
    this.#where = where
    this.#keepsLines = keepsLines
  }

  get here(): Moment {
    return this.#where()
  }

  /** The first one counts: what comes after it may come of it. */
  violated(invariant: InvariantName, detail: string): void {
    if (this.violation !== undefined) return
    this.violation = { invariant, detail }
    this.note(`VIOLATED ${invariant}: ${detail}`)
  }

  /** One line of the trace. */
  note(text: string): void {
    const { elapsed, turn } = this.#where()
    let hash = this.#hash ^ turn
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), fnvPrime)
    this.#hash = hash
    if (this.#keepsLines) this.lines.push(`${(elapsed / 1000).toFixed(3).padStart(12)}s  ${text}`)
  }

  /** A number that two runs have in common if they went the same way. */
  get hash(): number {
    return this.#hash >>> 0
  }

  get rulesNow(): Rules {
    return this.rules.at(-1) ?? { since: 0, allowed: new Set(), revoked: new Set(), threshold: 1 }
  }

  /** Root's files, or what operators signed, are others from now on. */
  ruled(changed: { readonly root?: Partial<Say>; readonly signed?: Partial<Signed> }): void {
    this.root = { ...this.root, ...changed.root }
    this.signed = { ...this.signed, ...changed.signed }
    const { root, signed: { policy, signers } } = this
    this.rules.push({
      since: this.here.elapsed,
      allowed: signers?.isFollowed(root) === true ? signers.allowed : root.allowed,
      // What either has revoked is revoked, whoever's list holds.
      revoked: new Set([...root.revoked, ...signers?.revoked ?? []]),
      threshold: policy?.isFollowed(root) === true ? policy.threshold : root.threshold
    })
  }
}
