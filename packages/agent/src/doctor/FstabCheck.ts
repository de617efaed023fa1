import { displayText } from "@felhom/domain/DisplayText"
import { type MountUnit, parseUnit } from "@felhom/privileged/MountUnit"
import { Effect, Option } from "effect"
import { HostFiles } from "../configure/HostFiles.ts"
import { type Finding, worthKnowing } from "./Finding.ts"

const unitFolder = "/etc/systemd/system"

/** The mount units that the agent's root helper wrote, and nobody changed. */
export const ourMounts: Effect.Effect<ReadonlyArray<MountUnit>, never, HostFiles> = Effect.gen(function*() {
  const files = yield* HostFiles
  const names = yield* Effect.orElseSucceed(files.list(unitFolder), () => [])
  const texts = yield* Effect.forEach(
    names.filter((name) => /^mnt-felhom-.*\.mount$/.test(name)),
    (name) => Effect.orElseSucceed(files.read(`${unitFolder}/${name}`), Option.none)
  )
  return texts.flatMap((text) =>
    Option.toArray(Option.filter(Option.map(text, parseUnit), (unit) => unit !== undefined))
  )
})

/** The lines of an fstab(5) that name one of these disks by its UUID, or mount something where it is mounted. */
export const fstabLines = (fstab: string, mounts: ReadonlyArray<MountUnit>): ReadonlyArray<string> =>
  fstab.split("\n").filter((line) => {
    const [source = "", place = ""] = line.trim().split(/\s+/)
    if (source === "" || source.startsWith("#")) return false
    const uuid = source.replace(/^UUID=|^\/dev\/disk\/by-uuid\//, "").replaceAll("\"", "").toLowerCase()
    return mounts.some((mount) => mount.uuid.toLowerCase() === uuid || place === `/mnt/felhom/${mount.name}`)
  })

/** A disk that the agent mounts and that fstab names too is mounted twice, or by whoever comes first. */
export const fstabCheck: Effect.Effect<ReadonlyArray<Finding>, never, HostFiles> = Effect.gen(function*() {
  const files = yield* HostFiles
  const mounts = yield* ourMounts
  const fstab = yield* Effect.orElseSucceed(files.read("/etc/fstab"), Option.none)
  return fstabLines(Option.getOrElse(fstab, () => ""), mounts).map((line) =>
    worthKnowing(
      "fstab",
      `/etc/fstab names a disk that felhom-agent mounts: ${displayText(line.trim())}`,
      "take that line out, or eject the disk from the agent: one of the two has to mount it"
    )
  )
})
