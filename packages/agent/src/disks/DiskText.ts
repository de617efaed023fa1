import { displayText, displayTextWithin } from "@felhom/domain/DisplayText"
import type { Health, HealthLine } from "@felhom/domain/Health"
import type { DiskSet } from "@felhom/domain/HostStorage"
import { humanBytes, humanDuration } from "@felhom/domain/HumanText"
import type { MountableDevice } from "@felhom/privileged/Mount"
import type { DisksAnswer } from "./DisksProtocol.ts"

// A label is whatever somebody once typed: nothing of it reaches a terminal as it is.
const shown = (text: string | null): string => text === null || text === "" ? "-" : displayTextWithin(text, 60)

const deviceText = ({ fstype, label, mountpoint, path, refusal, serial, size, uuid }: MountableDevice) => [
  `${shown(path)}  ${size === null ? "?" : humanBytes(size)}  ${shown(fstype)}  label ${shown(label)}  UUID ${
    shown(uuid)
  }  serial ${shown(serial)}${mountpoint === null ? "" : `  at ${shown(mountpoint)}`}`,
  ...(refusal === null ? ["    may be mounted"] : [`    ${displayText(refusal)}`])
]

const setText = ({ members, name, state, storage, why }: DiskSet, now: number): ReadonlyArray<string> => [
  `set ${name}, storage ${storage}: ${state}${why === null ? "" : `: ${displayText(why)}`}`,
  ...members.map((member) =>
    `    ${member.name.padEnd(12)}  ${member.state.padEnd(8)}  ${
      member.mountedAt === null ? "never mounted" : `last mounted ${humanDuration(now - member.mountedAt)} ago`
    }${member.why === null ? "" : `: ${displayText(member.why)}`}`
  )
]

/** What `felhom-agent disks` prints. `now` in milliseconds since the epoch. */
export const disksText = ({ devices, kept }: DisksAnswer, now: number): ReadonlyArray<string> => [
  ...kept.sets.flatMap((set) => setText(set, now)),
  ...kept.network.map(({ state, storage, type, why }) =>
    `storage ${storage} (${type}): ${state}${why === null ? "" : `: ${displayText(why)}`}`
  ),
  ...(kept.sets.length + kept.network.length === 0 ? ["the host's policy names no disks and no network storages"] : []),
  "",
  "plugged in:",
  ...devices.flatMap(deviceText),
  ...(devices.length === 0 ? ["no disk was listed"] : [])
]

const lineText = (
  { id, kind, name, reasons, since, state, storages }: HealthLine,
  now: number
): ReadonlyArray<string> => [
  `${state.padEnd(7)}  ${kind === "disk-set" ? "set" : kind} ${displayText(name)}${
    id === name ? "" : ` (${displayText(id)})`
  }${storages.length === 0 ? "" : `, with ${storages.join(", ")}`}, for ${humanDuration(now - since)}`,
  ...reasons.map((reason) => `         ${displayText(reason)}`)
]

/** What `felhom-agent health` prints. */
export const healthText = ({ lines, lookedAt, omitted }: Health, now: number): ReadonlyArray<string> => [
  `looked at ${humanDuration(now - lookedAt)} ago`,
  ...lines.flatMap((line) => lineText(line, now)),
  ...(omitted === 0 ? [] : [`and ${omitted} more`])
]
