import type { DriftKind } from "@felhom/domain/DesiredPolicy"
import type { GuestType, StorageId } from "@felhom/domain/ProxmoxId"
import type { Form } from "./ConfigForm.ts"
import type { BenignKey } from "./ConfigKey.ts"
import type { ObservedGuest } from "./ObservedHost.ts"

interface Differing {
  readonly drift: DriftKind
  readonly old: string | null
  readonly new: string | null
  readonly reason: string
}

/** A key that is to say something else. */
export interface KeyFinding extends Differing {
  readonly found: "key"
  readonly key: BenignKey
  /** What Proxmox answered for it; null: it is not set. */
  readonly before: string | null
  /** What is sent; null: the key is cleared. */
  readonly text: string | null
  readonly effect: "now" | "next-start"
  /** Bytes that a running guest may use at most. */
  readonly memoryBelow?: number
  /** Only while the guest is stopped, as it is, or as the plan asks it to be. */
  readonly onlyStopped?: true
}

/** A volume that is to be larger. */
export interface GrowFinding extends Differing {
  readonly found: "grow"
  readonly volume: string
  readonly storage: StorageId
  readonly bytes: number
  readonly by: number
}

/** What this host can't make so. `what` is the setting. */
export interface ImpossibleFinding extends Differing {
  readonly found: "impossible"
  readonly what: string
}

/** What is written already and not in force until the guest's next start. */
export interface PendingFinding {
  readonly found: "pending"
  readonly text: string
}

/** What a look at one wish against one guest can find; nothing where it is as it should be. */
export type Finding = KeyFinding | GrowFinding | ImpossibleFinding | PendingFinding

/** It is as it should be. */
export const nothing: ReadonlyArray<Finding> = []

/** A guest, as the wishes for it are held against it. */
export interface Seen {
  readonly guest: ObservedGuest
  /** The plan asks it to shut down. */
  readonly stops: boolean
  /** Names, in lower case, that more than one guest would have. */
  readonly sharedNames: ReadonlySet<string>
}

/** It runs, or may. */
export const runs = ({ guest }: Seen): boolean => guest.status !== "stopped"

// What Proxmox does not apply to a running guest (platform-facts 5.1, 5.9). A hostname is stored at once, and used at the start.
const atNextStart: { readonly [type in GuestType]: ReadonlySet<string> } = {
  lxc: new Set(["hostname", "nameserver"]),
  qemu: new Set(["cores", "memory"])
}

export const effectOf = (seen: Seen, key: BenignKey): "now" | "next-start" =>
  runs(seen) && atNextStart[seen.guest.ref.type].has(key) ? "next-start" : "now"

/** The text of a key as Proxmox gave it; null where it is not set. */
export const rawText = (raw: unknown): string | null => raw === undefined || raw === null ? null : String(raw)

const shown = (form: string): string | null => (form === "" ? null : form)

interface Wish {
  readonly drift: DriftKind
  readonly key: BenignKey
  readonly form: Form
  /** What is sent; empty: the key is cleared. */
  readonly text: string
}

/** Holds one key against its wish: what it says now, what is pending, and what it is to say. */
export const keyFindings = (seen: Seen, { drift, form, key, text }: Wish): ReadonlyArray<Finding> => {
  const { current, merged } = seen.guest
  const now = form(merged[key])
  const wished = form(text)
  if (now === wished) {
    // Nearly always nothing is pending, and a form costs more than all else here.
    return current[key] === merged[key] ? nothing : pendingFindings(seen, key, form(current[key]), wished)
  }
  return [{
    found: "key",
    drift,
    key,
    before: rawText(merged[key]),
    text: text === "" ? null : text,
    old: shown(now),
    new: shown(wished),
    reason: `${key}: it is not as wished`,
    effect: effectOf(seen, key)
  }]
}

/** What a running guest waits with until its next start. */
export const pendingFindings = (seen: Seen, key: string, inForce: string, settled: string): ReadonlyArray<Finding> =>
  runs(seen) && inForce !== settled
    ? [{
      found: "pending",
      text: `${key} is written and pending: it holds from the guest's next start on; restart it when that suits`
    }]
    : []

/** A wish that no write makes true. */
export const impossible = (
  drift: DriftKind,
  what: string,
  reason: string,
  values: { readonly old?: string | null; readonly new?: string | null } = {}
): ImpossibleFinding => ({
  found: "impossible",
  drift,
  what,
  reason,
  old: values.old ?? null,
  new: values.new ?? null
})
