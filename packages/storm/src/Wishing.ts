import { desiredType } from "@felhom/domain/DesiredDocument"
import { Encoding } from "effect"
import type { Act } from "./Actions.ts"
import type { Chance } from "./Chance.ts"
import type { Stage } from "./Stage.ts"
import { shownGuests } from "./Submission.ts"

const minute = 60_000
const hour = 60 * minute

/** The image that root's policy names, and what it stands for. */
export const image = "debian-13"

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
  ...(chance.is(0.2) ? { volumes: { [type === "lxc" ? "rootfs" : "scsi0"]: chance.pick([1, 2, 4, 150]) } } : {})
})

const made = (chance: Chance): object => ({
  guest: {
    type: "lxc",
    identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key: chance.pick(["a", "b"]).repeat(32) }
  },
  make: { image, storage: "local" },
  power: "running",
  name: "made",
  cores: 1,
  memory: 256,
  volumes: { rootfs: chance.pick([2, 4, 170]) }
})

/** The document's bytes in base64, as the hub hands it out. */
export const documentOf = (stage: Stage, { guests, version }: Wish): string => {
  const now = stage.timeline.trueTime
  return Encoding.encodeBase64(JSON.stringify({
    typ: desiredType,
    host: stage.hub.report?.host.id,
    hostEpoch: stage.hub.report?.host.epoch,
    epoch: "e".repeat(32),
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
  const guests = shownGuests(hub).filter(() => chance.is(0.6))
  const wished: Wish = {
    version: hub.wished.length + 1,
    guests: [
      ...guests.map(({ expect, ref }) => ({
        guest: { type: ref.type, identity: expect.identity },
        ...settings(chance, ref.type)
      })),
      ...(chance.is(0.2) ? [made(chance)] : [])
    ]
  }
  hub.wished.push(documentOf(stage, wished))
  // Another document of the same version, as a hub that lies may have it.
  hub.forged.push(documentOf(stage, { ...wished, guests: wished.guests.slice(1) }))
  for (const { expect } of guests) hub.named.add(JSON.stringify([...expect.identity.volumes].sort()))
  ledger.note(`version ${wished.version} is wished: ${JSON.stringify(wished.guests)} of ${machine.guests.size} guests`)
}
