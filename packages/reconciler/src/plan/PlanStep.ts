import type { DriftKind } from "@felhom/domain/DesiredPolicy"
import type { GuestIdentity } from "@felhom/domain/GuestConfig"
import type { GuestRef, GuestType, StorageId, Volid } from "@felhom/domain/ProxmoxId"
import type { NetworkCards } from "@felhom/proxmox/GuestShape"
import type { BenignKey } from "./ConfigKey.ts"

/** Whom a step is about. `ref` is null for a guest that is still to be made, or that is not found. */
export interface StepGuest {
  readonly type: GuestType
  readonly ref: GuestRef | null
  readonly identity: GuestIdentity
  readonly name: string | null
}

/** What a plan can have done. Each one can be undone, but for a volume that has grown. */
export type Action =
  /** Asks it to shut down. Nothing follows when it does not. */
  | { readonly kind: "guest.shutdown" }
  | {
    readonly kind: "volume.grow"
    readonly volume: string
    readonly storage: StorageId
    readonly bytes: number
    readonly by: number
  }
  /** Of one key, in a request of its own. */
  | { readonly kind: "config.set"; readonly key: BenignKey; readonly text: string }
  | { readonly kind: "config.clear"; readonly key: BenignKey }
  | GuestMaking
  | { readonly kind: "guest.start" }

/** A guest made from an image, under a number that the host chooses, recorded with its key before anything else. */
export interface GuestMaking {
  readonly kind: "guest.make"
  readonly key: string
  readonly archive: Volid
  readonly storage: StorageId
  /** GiB of a container's root volume; null: as the archive says, which says of a virtual machine's disks always. */
  readonly root: number | null
  /** Bytes that it takes at most at first; null: not known. */
  readonly size: number | null
  readonly settings: ReadonlyArray<readonly [key: BenignKey, text: string]>
  /** Of a virtual machine without their models, which are the archive's. */
  readonly cards: NetworkCards
}

/**
 * What must still hold at the moment of the call, read anew from Proxmox (`preconditionUnmet`). For the first change to a guest
 * the digest is the plan's; each change makes another, so later ones go by the digest that is read with the rest.
 */
export interface Precondition {
  /** Undefined: it does not matter. */
  readonly status?: "running" | "stopped"
  readonly digest: string | null
  /** The key that is written, with its text before; null where it is not set. */
  readonly before?: { readonly key: string; readonly text: string | null }
  /** Bytes that a running guest may use at most, lest the new limit starve it. */
  readonly memoryBelow?: number
  /** There is still no guest with this key. */
  readonly absent?: string
}

interface Common {
  /** The same for the same step of every plan: `lxc/101 config.set cores`. */
  readonly id: string
  readonly guest: StepGuest
  readonly drift: DriftKind
  /** In plain words; names from guests are in it as they come: show it through `displayText`. */
  readonly reason: string
  /** What it is now and what it is to be, for people. */
  readonly old: string | null
  readonly new: string | null
}

/** What the hub's word is enough for, if the gate lets it through. */
export interface BenignStep extends Common {
  readonly class: "benign"
  readonly action: Action
  /** `next-start`: Proxmox keeps it pending while the guest runs (platform-facts 5.9). */
  readonly effect: "now" | "next-start"
  readonly precondition: Precondition
  /** Steps that must have ended before, whatever came of them. */
  readonly after: ReadonlyArray<string>
  /** What has to be over first, in words; null: nothing. */
  readonly waitsFor: string | null
  /** What an operator can sign if it does not help. */
  readonly op: string | null
}

/** What takes operators' signatures, with the line that asks for them. */
export interface SignatureStep extends Common {
  readonly class: "needs-signature"
  readonly op: string
}

/** What this host can't do as things are, and why. */
export interface ImpossibleStep extends Common {
  readonly class: "not-possible"
  /** The setting that it is about; null: all that is wished for the guest. */
  readonly what: string | null
}

/** One step of a plan. */
export type PlanStep = BenignStep | SignatureStep | ImpossibleStep

/** What is settled and not in force yet: a change that waits for the guest's next start. */
export interface PlanNote {
  readonly guest: StepGuest
  readonly text: string
}

/** What differs, and what would be done for it, in this order. */
export interface Plan {
  readonly steps: ReadonlyArray<PlanStep>
  readonly notes: ReadonlyArray<PlanNote>
}
