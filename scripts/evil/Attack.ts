import type { SignedBytes } from "@felhom/domain/Envelope"
import type { Guest } from "@felhom/domain/Guest"
import type { TrustStatus } from "@felhom/domain/HostReport"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import type { Effect } from "effect"
import type { StoryFailed } from "../story/StoryFailed.ts"
import type { Hand } from "./Keys.ts"
import type { Word } from "./Word.ts"

/** What a hub that was taken over can do: it knows all reports, and holds whatever operators once signed. */
export interface Stage {
  readonly host: string
  /** Of its own stores, as its reports give it. */
  readonly epoch: string
  readonly now: number
  /** As the host reported it last. */
  readonly trust: TrustStatus
  /** The guest that every attack wants to see stopped hard: it runs, so it would show. */
  readonly target: Guest
  /** Any other guest. */
  readonly other: Guest
  /** People and strangers with keys. */
  readonly hands: { readonly [name in Hand]: Signing }
  /** The op that the host did at the operator's word before the attacks began. */
  readonly spent: SignedBytes
}

/** Makes an armored signature over exactly these bytes. */
export type Signing = (payload: Uint8Array, namespace?: string) => Effect.Effect<string>

/** Ops in an envelope that is right but for what is named. */
export interface OpsAnswer {
  readonly ops: ReadonlyArray<SignedBytes>
  readonly envelope?: { readonly [key: string]: unknown }
}

/** The hub's answer to one report. */
export type Answer =
  | OpsAnswer
  /** Any bytes at all. */
  | { readonly body: string }
  /** The beginning of an answer that never ends. */
  | { readonly hangsAfter: string }

/** What is at stake when somebody tries. */
export interface Named {
  readonly name: string
  /** What would be broken if it went through (architecture, invariants). */
  readonly invariant: string
}

/** What only somebody at the host can do. A real host's owner is not asked for it. */
export interface HostHands {
  /** `felhom-agent hold`, by root, and its release. */
  readonly hold: (held: boolean) => Effect.Effect<void, StoryFailed>
  /** `felhom-agent ops accept`: what the agent says to this op when root brings it. */
  readonly accept: (signed: SignedBytes) => Effect.Effect<string, StoryFailed>
  /** Root's own console, for what happens on the host by itself while the hub waits. */
  readonly console: (
    change: { readonly _tag: string; readonly [key: string]: unknown }
  ) => Effect.Effect<void, StoryFailed>
}

interface Judged extends Named {
  /**
   * By what it is seen, in the agent's next reports, that the attack was noticed. Whether anything came of it is judged by
   * the host itself.
   */
  readonly word: Word
}

/** Ops that may travel in one envelope with those of other attacks: each is answered for by itself. */
export interface OpsAttack extends Judged {
  readonly ops: (stage: Stage) => Effect.Effect<ReadonlyArray<SignedBytes>>
}

/** An answer that is no other attack's, too. */
export interface AnswerAttack extends Judged {
  readonly answer: (stage: Stage) => Effect.Effect<Answer>
  /** What happens at the host meanwhile; such an attack is not played on a real one. */
  readonly before?: (host: HostHands) => Effect.Effect<void, StoryFailed>
  readonly after?: (host: HostHands) => Effect.Effect<void, StoryFailed>
}

/** One attack: what a hub answers to a report, and by what it is seen that the agent noticed it. */
export type Attack = OpsAttack | AnswerAttack

/** Whether it takes hands at the host. */
export const needsHands = (attack: Attack): boolean =>
  "answer" in attack && (attack.before !== undefined || attack.after !== undefined)

/** What a guest is called in ops. */
export const refOf = ({ type, vmid }: Guest): GuestRef => ({ type, vmid })
