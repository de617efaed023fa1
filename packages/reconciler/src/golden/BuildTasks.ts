import { Volid } from "@felhom/domain/ProxmoxId"
import type { TaskOutcome } from "@felhom/domain/TaskOutcome"
import { parseUpid, type Upid } from "@felhom/domain/Upid"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Either, Schema } from "effect"
import { patiently } from "../make/Patience.ts"
import type { GoldenBuild } from "./GoldenBuilds.ts"

/** A task that has just begun may be missing from the list for a moment (platform-facts 11, item 14), and a call may be late. */
const secondLook = "30 seconds"

/** Whose task: root's own commands on the console, or this agent's calls. */
type Whose = "root" | "ours"

const isOf = (whose: Whose, upid: Upid, { node, tokenId }: typeof ProxmoxClient.Service): boolean =>
  Either.match(parseUpid(upid), {
    onLeft: () => false,
    onRight: (parsed) => parsed.node === node && parsed.user === (whose === "root" ? "root@pam" : tokenId)
  })

/** All tasks of this type of the build's container since that moment, newest first. */
const tasksOf = (
  { vmid }: Pick<GoldenBuild, "vmid">,
  type: string,
  since: number
): Effect.Effect<ReadonlyArray<Upid>, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows } = yield* patiently(
      client.tasks({ source: "all", vmid, type, since: Math.floor(since / 1000), limit: 500 })
    )
    return [...new Map(rows.map((row) => [row.upid, row])).values()]
      .sort((one, other) => other.starttime - one.starttime)
      .map(({ upid }) => upid)
  })

/** The newest such task of whom it has to be; looked for twice before there is none. */
export const taskOf = (
  build: Pick<GoldenBuild, "vmid">,
  type: string,
  since: number,
  whose: Whose
): Effect.Effect<Upid | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const found = Effect.map(
      tasksOf(build, type, since),
      (upids) => upids.find((upid) => isOf(whose, upid, client))
    )
    const first = yield* found
    return first ?? (yield* Effect.zipRight(Effect.sleep(secondLook), found))
  })

/** How often anybody has started the container since it was begun. */
export const startsOf = (
  build: Pick<GoldenBuild, "begunAt" | "vmid">
): Effect.Effect<number, ProxmoxError, ProxmoxClient> =>
  Effect.map(tasksOf(build, "vzstart", build.begunAt), (upids) => upids.length)

const lookEvery = "2 seconds"

/** Root's task is none of ours, so nothing but its status is followed; its exit status once it is over. */
export const rootTaskEnd = (upid: Upid): Effect.Effect<string, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    while (true) {
      const { exitstatus, status } = yield* patiently(client.taskStatus(upid))
      if (status === "stopped") return exitstatus ?? "no exit status"
      yield* Effect.sleep(lookEvery)
    }
  })

const isVolid = Schema.is(Volid)

/** The archive that a backup's log names (platform-facts 6.6); undefined where it names none. */
export const archiveOf = (
  upid: Upid,
  { backupStorage }: GoldenBuild["order"]
): Effect.Effect<Volid | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const { rows } = yield* patiently((yield* ProxmoxClient).taskLog(upid, { start: 0, limit: 0 }))
    for (const { t } of rows) {
      const [, server, file] =
        /^INFO: creating (?:Proxmox Backup Server|vzdump) archive '(?:(ct\/[^']+)|(?:[^']*\/)?([^'/]+))'$/
          .exec(t ?? "") ?? []
      const volid = `${backupStorage}:backup/${server ?? file ?? ""}`
      if ((server ?? file) !== undefined && isVolid(volid)) return volid
    }
    return undefined
  })

/** What became of a task, in words; undefined where it was done. */
export const notDone = (outcome: TaskOutcome): string | undefined =>
  outcome._tag === "failed" ? outcome.exitStatus : outcome._tag === "unknown" ? outcome.reason : undefined
