import { Effect } from "effect"
import { type Guest, volumesOf } from "./Guest.ts"
import type { Machine } from "./Machine.ts"
import type { TaskFailure } from "./TaskTable.ts"
import { hasFeature } from "./VolumeFeature.ts"
import { fail } from "./WorkerChecks.ts"

// What clones stand upon is called so: `base-101-disk-0`, and on ZFS `basevol-101-disk-0`.
const baseOf = (volid: string): string => volid.replace(/([:/])vm-/, "$1base-").replace(/:subvol-/, ":basevol-")

/** Makes a guest a template, and its volumes what clones stand upon. A machine's disk that can't be one stays as it is. */
export const convertToTemplate = (machine: Machine, guest: Guest): Effect.Effect<void, TaskFailure> =>
  Effect.suspend(() => {
    const { values } = guest.file.current
    const volumes = volumesOf(guest, guest.file.current)
    const without = volumes.filter(({ source }) => !hasFeature(machine, guest.type, "template", source))
    const [first] = without
    if (first !== undefined && guest.type === "lxc") {
      return fail(`Template feature is not available for '${first.source}'`)
    }
    values.set("template", "1")
    for (const { key, source, text } of volumes.filter((one) => !without.includes(one))) {
      const base = baseOf(source)
      values.set(key, text.replace(source, base))
      const storage = source.slice(0, Math.max(0, source.indexOf(":")))
      machine.content.set(
        storage,
        (machine.content.get(storage) ?? []).map((one) => one.volid === source ? { ...one, volid: base } : one)
      )
    }
    return Effect.void
  })
