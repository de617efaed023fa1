import type { SignedBytes } from "@felhom/domain/Envelope"
import type { Guest } from "@felhom/domain/Guest"
import type { TrustStatus } from "@felhom/domain/HostReport"
import type { Effect } from "effect"
import type { StoryFailed } from "../story/StoryFailed.ts"
import type { Hand } from "./Keys.ts"

/** What a hub that was taken over can do: it knows all reports, and holds whatever operators once signed. */
export interface Stage {
  readonly host: string
  readonly now: number
  /** As the host reported it last. */
  readonly trust: TrustStatus
  readonly guest: (vmid: number) => Guest
  /** People and strangers with keys. */
  readonly hands: { readonly [name in Hand]: Signing }
  /** The op that the host did at the operator's word before the attacks began. */
  readonly spent: SignedBytes
  /** `felhom-agent hold` on the host, by root, and its release. */
  readonly hold: (held: boolean) => Effect.Effect<void, StoryFailed>
  /** The console of the host's root, for what happens there by itself while the hub waits. */
  readonly console: (
    change: { readonly _tag: string; readonly [key: string]: unknown }
  ) => Effect.Effect<void, StoryFailed>
}

/** Makes an armored signature over exactly these bytes. */
export type Signing = (payload: Uint8Array, namespace?: string) => Effect.Effect<string>

/** The hub's answer to one report: ops in an envelope that is right but for what is named, or any bytes at all. */
export type Answer =
  | { readonly ops: ReadonlyArray<SignedBytes>; readonly envelope?: { readonly [key: string]: unknown } }
  | { readonly body: string }
  /** The beginning of an answer that never ends. */
  | { readonly hangsAfter: string }

/**
 * One attack: what the hub answers, and by what in the agent's next reports it is seen that the attack was noticed. Whether
 * anything came of it is judged by the simulated host itself.
 */
export interface Attack {
  readonly name: string
  /** What would be broken if it went through (architecture, invariants). */
  readonly invariant: string
  /** What happens on the host between the operator's signature and the attack. */
  readonly before?: (stage: Stage) => Effect.Effect<void, StoryFailed>
  readonly answer: (stage: Stage) => Effect.Effect<Answer>
  /** Once it was judged. */
  readonly after?: (stage: Stage) => Effect.Effect<void, StoryFailed>
  /** It would get in the way of the next attack, which waits until this one was judged. */
  readonly alone?: true
  /**
   * An event of one of these kinds whose message matches; about one of the ops where there are any. `silent`: a known op is
   * received again without a word, and only the host's own truth speaks.
   */
  readonly seen: { readonly kind: RegExp; readonly message: RegExp } | "silent"
}
