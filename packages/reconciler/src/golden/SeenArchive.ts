import { StorageId, type Volid } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"
import { inspectArchive } from "../make/ArchiveInspection.ts"
import { archivedLine, linesOf } from "../make/ArchiveText.ts"
import { GoldenRefused } from "./GoldenRefused.ts"

/** A processor architecture, as Proxmox names it: `amd64`, `arm64`. */
export type Architecture = string

/** An archive as its storage and Proxmox show it. */
export interface SeenArchive {
  readonly volid: Volid
  /** Bytes. */
  readonly size: number
  /** The configuration in it, as Proxmox gives it. */
  readonly config: string
  readonly protected: boolean
}

/** What a container of the platform needs inside, and an API token could never switch on (platform-facts 5.2). */
const neededFeatures = ["keyctl", "nesting"] as const

const architectureOf = (config: string): string | undefined => {
  for (const line of linesOf(config)) {
    const read = archivedLine(line)
    if (read._tag === "Right" && read.right.key === "arch") return read.right.value
  }
  return undefined
}

/** Why no golden image may have this configuration; undefined where one may. */
export const goldenConfigTrouble = (config: string, host: Architecture): string | undefined => {
  const inspected = inspectArchive(config, {})
  if (inspected._tag === "Left") return inspected.left
  const missing = neededFeatures.filter((feature) => !inspected.right.features.includes(feature))
  if (missing.length > 0) return `its container lacks ${missing.join(" and ")}`
  const architecture = architectureOf(config)
  return architecture === undefined || architecture === host
    ? undefined
    : `it is for ${architecture}, and this host is ${host}`
}

/** Finds the archive and reads the configuration in it; two readings. */
export const seeArchive = (
  volid: Volid,
  what: string
): Effect.Effect<SeenArchive, GoldenRefused | ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const storage = StorageId.make(volid.slice(0, volid.indexOf(":")))
    const { rows } = yield* client.storageContent(storage, { content: "backup" })
    const row = rows.find((one) => one.volid === volid)
    if (row === undefined || row.size === null) {
      return yield* new GoldenRefused({ reason: "archive", what, detail: `there is no ${volid} on this host` })
    }
    const config = yield* client.archivedConfig(volid)
    return { volid, size: row.size, config, protected: row.protected }
  })
