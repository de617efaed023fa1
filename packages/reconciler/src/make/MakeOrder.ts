import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { StorageId } from "@felhom/domain/ProxmoxId"
import type { ContainerShape, NetworkCards } from "@felhom/proxmox/GuestShape"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Data, Effect } from "effect"
import { bridgeOf } from "../plan/NetworkCard.ts"
import type { BenignStep, GuestMaking } from "../plan/PlanStep.ts"
import { gib } from "../plan/VolumeSize.ts"
import { inspectArchive } from "./ArchiveInspection.ts"

/** A step that makes a guest. */
export type MakeStep = BenignStep & { readonly action: GuestMaking }

/** It can't be made as things are, and why; nothing was sent that changes anything. */
export class NotNow extends Data.TaggedError("NotNow")<{ readonly why: string }> {}

/** What is to be made, once it is known what its image brings along. */
export interface MakeOrder {
  readonly action: GuestMaking
  /** From an archive of a guest, or from a template. */
  readonly restore: boolean
  /** All cards that it gets, with no address that another guest has. */
  readonly cards: NetworkCards
  /** Addresses that it must not have. */
  readonly strangers: ReadonlySet<string>
  readonly shape: ContainerShape
  /** Bytes of its root volume. */
  readonly rootBytes: number
  /** Bytes that its storage has left; null: not known. */
  readonly available: number | null
  /** Features that it must have in the end. */
  readonly features: ReadonlyArray<string>
  /** It is protected once it is proven: before, that would keep the agent from removing what it made by half. */
  readonly protect: boolean
}

// Proxmox's own default for a template (platform-facts 1.2.1), said in so many words.
const usualRootGib = 4

const inGib = (bytes: number): string => `${(bytes / gib).toFixed(1)} GiB`

const shapeOf = (settings: GuestMaking["settings"], archived: boolean): ContainerShape => {
  const text = new Map<string, string>(settings)
  const number = (key: string): number | undefined => {
    const value = text.get(key)
    return value === undefined ? undefined : Number(value)
  }
  const [hostname, description, startup, nameserver] = ["hostname", "description", "startup", "nameserver"].map((key) =>
    text.get(key)
  )
  const [cores, cpulimit, cpuunits, memory, swap] = ["cores", "cpulimit", "cpuunits", "memory", "swap"].map(number)
  const [onboot, tags] = [text.get("onboot"), text.get("tags")]
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(description === undefined ? {} : { description }),
    ...(startup === undefined ? {} : { startup }),
    ...(nameserver === undefined ? {} : { nameserver }),
    ...(cores === undefined ? {} : { cores }),
    ...(cpulimit === undefined ? {} : { cpulimit }),
    ...(cpuunits === undefined ? {} : { cpuunits }),
    ...(memory === undefined ? {} : { memory }),
    ...(swap === undefined ? {} : { swap }),
    ...(onboot === undefined ? {} : { onboot: onboot === "1" }),
    ...(tags === undefined ? {} : { tags: tags.split(";") }),
    ...(archived ? { protection: false } : {})
  }
}

const storageOf = ({ storage }: GuestMaking) =>
  Effect.gen(function*() {
    const { rows } = yield* (yield* ProxmoxClient).storages
    const row = rows.find((one) => one.storage === storage)
    if (row === undefined) return yield* new NotNow({ why: `this host has no storage ${storage}` })
    if (!row.active) return yield* new NotNow({ why: `the storage ${storage} can't be reached` })
    return row.content.includes("rootdir")
      ? row
      : yield* new NotNow({ why: `the storage ${storage} takes no containers` })
  })

const bridgesAllowed = (cards: NetworkCards, { bridges }: DesiredPolicy): Effect.Effect<void, NotNow> => {
  const other = Object.entries(cards).find(([, card]) => !bridges.includes(bridgeOf(card) ?? ""))
  return other === undefined ? Effect.void : new NotNow({
    why: `its card ${other[0]} would be on ${bridgeOf(other[1]) ?? "no bridge"}, which the host's policy does not allow`
  })
}

const fromArchive = (action: GuestMaking) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const text = yield* client.archivedConfig(action.archive)
    const archived = yield* Effect.mapError(
      inspectArchive(text, action.cards),
      (why) => new NotNow({ why: `nothing is made from ${action.archive}: ${why}` })
    )
    const rootBytes = action.root === null ? archived.rootBytes : action.root * gib
    return rootBytes === null
      ? yield* new NotNow({ why: `${action.archive} does not say how large its root volume is; wish for rootfs` })
      : {
        restore: true,
        cards: { ...archived.cards, ...action.cards },
        strangers: archived.hwaddrs,
        rootBytes,
        features: archived.features,
        protect: archived.protection
      }
  })

const fromTemplate = (action: GuestMaking) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const storage = StorageId.make(action.archive.slice(0, action.archive.indexOf(":")))
    const { rows } = yield* client.storageContent(storage, { content: "vztmpl" })
    return rows.some(({ volid }) => volid === action.archive)
      ? {
        restore: false,
        cards: action.cards,
        strangers: new Set<string>(),
        rootBytes: (action.root ?? usualRootGib) * gib,
        features: [],
        protect: false
      }
      : yield* new NotNow({ why: `there is no ${action.archive} on this host; put it there` })
  })

/**
 * Looks at the image, the storage and its room; three requests, which change nothing. What is wrong with any of them is said
 * before a number is chosen.
 */
export const orderFor = (
  { action, guest: { type } }: MakeStep,
  policy: DesiredPolicy
): Effect.Effect<MakeOrder, NotNow | ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    if (type !== "lxc") return yield* new NotNow({ why: "only containers are made" })
    const kind = /^[^:]+:(backup|vztmpl)\//.exec(action.archive)?.[1]
    if (kind === undefined) {
      return yield* new NotNow({ why: `${action.archive} is neither an archive of a guest nor a template` })
    }
    const storage = yield* storageOf(action)
    const found = yield* kind === "backup" ? fromArchive(action) : fromTemplate(action)
    yield* bridgesAllowed(found.cards, policy)
    return {
      ...found,
      available: storage.avail,
      action,
      shape: shapeOf(action.settings, found.restore),
      protect: found.protect || action.settings.some(([key, text]) => key === "protection" && text === "1")
    }
  })

/** Why there is no room for it: its root volume may fill up while it is unpacked. */
export const roomFor = (
  { action: { storage }, available, rootBytes }: MakeOrder
): Effect.Effect<void, NotNow> =>
  available !== null && available >= rootBytes
    ? Effect.void
    : new NotNow({
      why: available === null
        ? `it is not known how much room ${storage} has`
        : `${storage} has ${inGib(available)} left, and its root volume may take ${inGib(rootBytes)}`
    })
