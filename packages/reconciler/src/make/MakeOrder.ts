import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { type GuestType, StorageId } from "@felhom/domain/ProxmoxId"
import type { ContainerShape, MachineShape, NetworkCards } from "@felhom/proxmox/GuestShape"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Data, Effect, type Either } from "effect"
import { buildHostname } from "../golden/BuildHostname.ts"
import { bridgeOf } from "../plan/NetworkCard.ts"
import type { BenignStep, GuestMaking } from "../plan/PlanStep.ts"
import { gib } from "../plan/VolumeSize.ts"
import { inspectArchive } from "./ArchiveInspection.ts"
import { inspectMachine } from "./MachineInspection.ts"

/** A step that makes a guest. */
export type MakeStep = BenignStep & { readonly action: GuestMaking }

/** It can't be made as things are, and why; nothing was sent that changes anything. */
export class NotNow extends Data.TaggedError("NotNow")<{ readonly why: string }> {}

interface Order {
  readonly action: GuestMaking
  /** All cards that it gets, with no address that another guest has. */
  readonly cards: NetworkCards
  /** Addresses that it must not have. */
  readonly strangers: ReadonlySet<string>
  /** Bytes that its volumes may take. */
  readonly bytes: number
  /** Bytes that its storage has left; null: not known. */
  readonly available: number | null
  /** It is protected once it is proven: before, that would keep the agent from removing what it made by half. */
  readonly protect: boolean
}

/** A container that is to be made, once it is known what its image brings along. */
export interface ContainerOrder extends Order {
  readonly type: "lxc"
  /** From an archive of a guest, or from a template. */
  readonly restore: boolean
  readonly shape: ContainerShape
  /** It is called by its number, as its image's name is no guest's: the one that a golden image was built under. */
  readonly byNumber: boolean
  /** Features that it must have in the end. */
  readonly features: ReadonlyArray<string>
}

/** A virtual machine that is to be made from its archive. */
export interface MachineOrder extends Order {
  readonly type: "qemu"
  readonly shape: MachineShape
  /** Bytes of each disk that it must have in the end, by its key. */
  readonly disks: ReadonlyMap<string, number>
  /** The SMBIOS uuid that it must not have; null: the archive says none. */
  readonly smbiosUuid: string | null
}

export type MakeOrder = ContainerOrder | MachineOrder

// Proxmox's own default for a template (platform-facts 1.2.1), said in so many words.
const usualRootGib = 4

const inGib = (bytes: number): string => `${(bytes / gib).toFixed(1)} GiB`

const shapeOf = (settings: GuestMaking["settings"]) => {
  const text = new Map<string, string>(settings)
  const number = (key: string): number | undefined => {
    const value = text.get(key)
    return value === undefined ? undefined : Number(value)
  }
  const [description, onboot, tags] = ["description", "onboot", "tags"].map((key) => text.get(key))
  const [cores, cpulimit, cpuunits, memory] = ["cores", "cpulimit", "cpuunits", "memory"].map(number)
  return {
    text,
    number,
    both: {
      ...(description === undefined ? {} : { description }),
      ...(cores === undefined ? {} : { cores }),
      ...(cpulimit === undefined ? {} : { cpulimit }),
      ...(cpuunits === undefined ? {} : { cpuunits }),
      ...(memory === undefined ? {} : { memory }),
      ...(onboot === undefined ? {} : { onboot: onboot === "1" }),
      ...(tags === undefined ? {} : { tags: tags.split(";") })
    }
  }
}

const containerShape = (settings: GuestMaking["settings"], archived: boolean): ContainerShape => {
  const { both, number, text } = shapeOf(settings)
  const [hostname, startup, nameserver] = ["hostname", "startup", "nameserver"].map((key) => text.get(key))
  const swap = number("swap")
  return {
    ...both,
    ...(hostname === undefined ? {} : { hostname }),
    ...(startup === undefined ? {} : { startup }),
    ...(nameserver === undefined ? {} : { nameserver }),
    ...(swap === undefined ? {} : { swap }),
    ...(archived ? { protection: false } : {})
  }
}

const machineShape = (settings: GuestMaking["settings"]): MachineShape => {
  const { both, text } = shapeOf(settings)
  const name = text.get("name")
  return { ...both, ...(name === undefined ? {} : { name }), protection: false }
}

const contentOf: { readonly [type in GuestType]: { readonly content: string; readonly guests: string } } = {
  lxc: { content: "rootdir", guests: "containers" },
  qemu: { content: "images", guests: "virtual machines" }
}

const storageOf = ({ storage }: GuestMaking, type: GuestType) =>
  Effect.gen(function*() {
    const { rows } = yield* (yield* ProxmoxClient).storages
    const row = rows.find((one) => one.storage === storage)
    if (row === undefined) return yield* new NotNow({ why: `this host has no storage ${storage}` })
    if (!row.active) return yield* new NotNow({ why: `the storage ${storage} can't be reached` })
    const { content, guests } = contentOf[type]
    return row.content.includes(content) ? row : yield* new NotNow({ why: `the storage ${storage} takes no ${guests}` })
  })

const bridgesAllowed = (cards: NetworkCards, { bridges }: DesiredPolicy): Effect.Effect<void, NotNow> => {
  const other = Object.entries(cards).find(([, card]) => !bridges.includes(bridgeOf(card) ?? ""))
  return other === undefined ? Effect.void : new NotNow({
    why: `its card ${other[0]} would be on ${bridgeOf(other[1]) ?? "no bridge"}, which the host's policy does not allow`
  })
}

const inspected = <A>(
  { archive, cards }: GuestMaking,
  inspect: (text: string, wished: NetworkCards) => Either.Either<A, string>
) =>
  Effect.gen(function*() {
    const text = yield* (yield* ProxmoxClient).archivedConfig(archive)
    return yield* Effect.mapError(
      inspect(text, cards),
      (why) => new NotNow({ why: `nothing is made from ${archive}: ${why}` })
    )
  })

const fromArchive = (action: GuestMaking) =>
  Effect.gen(function*() {
    const archived = yield* inspected(action, inspectArchive)
    const bytes = action.root === null ? archived.rootBytes : action.root * gib
    return bytes === null
      ? yield* new NotNow({ why: `${action.archive} does not say how large its root volume is; wish for rootfs` })
      : {
        type: "lxc" as const,
        restore: true,
        shape: containerShape(action.settings, true),
        cards: { ...archived.cards, ...action.cards },
        strangers: archived.hwaddrs,
        bytes,
        byNumber: archived.hostname?.startsWith(buildHostname) === true &&
          !action.settings.some(([key]) => key === "hostname"),
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
        type: "lxc" as const,
        restore: false,
        shape: containerShape(action.settings, false),
        cards: action.cards,
        strangers: new Set<string>(),
        bytes: (action.root ?? usualRootGib) * gib,
        byNumber: false,
        features: [],
        protect: false
      }
      : yield* new NotNow({ why: `there is no ${action.archive} on this host; put it there` })
  })

const fromMachine = (action: GuestMaking) =>
  Effect.map(inspected(action, inspectMachine), (archived) => ({
    type: "qemu" as const,
    shape: machineShape(action.settings),
    cards: archived.cards,
    strangers: archived.hwaddrs,
    bytes: Array.from(archived.disks.values()).reduce((sum, bytes) => sum + bytes, 0),
    disks: archived.disks,
    smbiosUuid: archived.smbiosUuid,
    protect: archived.protection
  }))

const found = (action: GuestMaking, type: GuestType) =>
  Effect.gen(function*() {
    const kind = /^[^:]+:(backup|vztmpl)\//.exec(action.archive)?.[1]
    if (kind === undefined) {
      return yield* new NotNow({ why: `${action.archive} is neither an archive of a guest nor a template` })
    }
    if (type === "lxc") return yield* kind === "backup" ? fromArchive(action) : fromTemplate(action)
    return kind === "backup"
      ? yield* fromMachine(action)
      : yield* new NotNow({ why: `${action.archive} is a template of containers, and no virtual machine's archive` })
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
    const storage = yield* storageOf(action, type)
    const order = yield* found(action, type)
    yield* bridgesAllowed(order.cards, policy)
    return {
      ...order,
      available: storage.avail,
      action,
      protect: order.protect || action.settings.some(([key, text]) => key === "protection" && text === "1")
    }
  })

/** Why there is no room for it: its volumes may fill up while they are unpacked, and later. */
export const roomFor = (
  { action: { storage }, available, bytes, type }: MakeOrder
): Effect.Effect<void, NotNow> =>
  available !== null && available >= bytes
    ? Effect.void
    : new NotNow({
      why: available === null
        ? `it is not known how much room ${storage} has`
        : `${storage} has ${inGib(available)} left, and its ${type === "lxc" ? "root volume" : "disks"} may take ${
          inGib(bytes)
        }`
    })
