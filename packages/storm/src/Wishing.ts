import { desiredType } from "@felhom/domain/DesiredDocument"
import { Encoding } from "effect"
import type { Act } from "./Actions.ts"
import type { Chance } from "./Chance.ts"
import type { images } from "./Home.ts"
import type { Stage } from "./Stage.ts"
import { shownGuests } from "./Submission.ts"

const minute = 60_000
const hour = 60 * minute

/** A document as this hub wishes it, before it is encoded. */
export interface Wish {
  readonly version: number
  readonly guests: ReadonlyArray<object>
}

const settings = (chance: Chance, type: "lxc" | "qemu"): object => ({
  ...(chance.is(0.5) ? { power: chance.pick(["running", "running", "stopped"]) } : {}),
  ...(chance.is(0.4) ? { memory: chance.pick([512, 640, 768, 1024]) } : {}),
  ...(chance.is(0.3) ? { cores: chance.between(1, 4) } : {}),
  ...(chance.is(0.3) ? { tags: ["felhom", `v${chance.below(3)}`] } : {}),
  ...(chance.is(0.2) ? { description: `wished ${chance.below(100)}` } : {}),
  ...(chance.is(0.2) ? { onboot: chance.is(0.5) } : {}),
  ...(chance.is(0.1) ? { protection: true } : {}),
  ...(chance.is(0.2)
    ? {
      volumes: { [type === "lxc" ? chance.pick(["rootfs", "rootfs", "mp0"]) : "scsi0"]: chance.pick([1, 2, 4, 150]) }
    }
    : {})
})

/** The key of one that was wished for before, or a new one. */
const keyFor = ({ hub }: Stage, chance: Chance): string => {
  const known = chance.is(0.5) ? chance.any(hub.keys) : undefined
  if (known !== undefined) return known
  const key = chance.hex(32)
  hub.keys.push(key)
  return key
}

/** What a new guest is made from. A key stands for one guest, so that it says from which. */
const imageOf = (key: string): keyof typeof images => {
  const kinds = ["debian-13", "debian-13", "debian-13", "wiki", "wiki", "hooked", "router", "router"] as const
  return kinds[Number.parseInt(key.slice(0, 2), 16) % kinds.length] ?? "debian-13"
}

const made = (stage: Stage, chance: Chance): object => {
  const key = keyFor(stage, chance)
  const image = imageOf(key)
  const isMachine = image === "router"
  return {
    guest: {
      type: isMachine ? "qemu" : "lxc",
      identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key }
    },
    make: { image, storage: chance.pick(["local", "local", "thin"]) },
    power: "running",
    name: "made",
    cores: 1,
    memory: 256,
    volumes: { [isMachine ? "scsi0" : "rootfs"]: chance.pick([2, 4, 170]) }
  }
}

/** The document's bytes in base64, as the hub hands it out. */
export const documentOf = (stage: Stage, { guests, version }: Wish): string => {
  const now = stage.timeline.trueTime
  return Encoding.encodeBase64(JSON.stringify({
    typ: desiredType,
    host: stage.hub.report?.host.id,
    hostEpoch: stage.hub.report?.host.epoch,
    epoch: stage.hub.epoch,
    version,
    issued: now,
    expires: now + hour,
    ...(guests.length === 0 ? { allowEmpty: true } : {}),
    state: { guests }
  }))
}

/** An operator applies a desired state for guests that the host has shown, and perhaps one that is to be made. */
export const wish: Act = (stage, chance) => {
  const { hub, ledger, machine } = stage
  if (hub.report === undefined) return
  hub.version += 1
  const guests = shownGuests(hub).filter(() => chance.is(0.6))
  const wished: Wish = {
    version: hub.version,
    guests: [
      ...guests.map(({ expect, ref }) => ({
        guest: { type: ref.type, identity: expect.identity },
        ...settings(chance, ref.type)
      })),
      ...(chance.is(0.2) ? [made(stage, chance)] : [])
    ]
  }
  hub.wished.push(documentOf(stage, wished))
  // Another document of the same version, as a hub that lies may have it.
  hub.forged.push(documentOf(stage, { ...wished, guests: wished.guests.slice(1) }))
  for (const { expect } of guests) hub.named.add(JSON.stringify([...expect.identity.volumes].sort()))
  ledger.note(`version ${wished.version} is wished: ${JSON.stringify(wished.guests)} of ${machine.guests.size} guests`)
}

/** The hub's store is lost, and an old copy of it put in its place. */
export const restored: Act = ({ hub, ledger }, chance) => {
  hub.restored(chance.hex(32))
  ledger.note(`the hub begins anew as ${hub.epoch}`)
}
