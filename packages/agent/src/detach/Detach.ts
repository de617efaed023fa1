import { displayText } from "@felhom/domain/DisplayText"
import { formatGuestRef, type TokenId } from "@felhom/domain/ProxmoxId"
import { mountPointOf } from "@felhom/privileged/Mount"
import { unitNameOf } from "@felhom/privileged/MountUnit"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Option, Schema } from "effect"
import type { AdminAnswer } from "../admin/AdminProtocol.ts"
import type { DaemonAsked } from "../admin/AskDaemon.ts"
import { dropInFile } from "../configure/AllowList.ts"
import { HostFiles } from "../configure/HostFiles.ts"
import { type Finding, fine, mend, worthKnowing } from "../doctor/Finding.ts"
import { ourMounts } from "../doctor/FstabCheck.ts"
import { Check, type Output, type SelftestFailed, verdict } from "../selftest/Checklist.ts"

export interface Leaving {
  readonly stateDirectory: string
  readonly tokenId: TokenId
  /** What the daemon says of its signed ops. */
  readonly ops: Effect.Effect<AdminAnswer, DaemonAsked>
}

// An empty list is also what Proxmox VE gives to a token that may see nothing (platform-facts 3.2).
const list = (items: ReadonlyArray<string>): string =>
  items.length === 0 ? "none that the agent may see" : items.join(", ")

/** What the agent looks after, and no longer will: all of it is Proxmox VE's own and stays as it is. */
const staying: Effect.Effect<ReadonlyArray<Finding>, ProxmoxError, ProxmoxClient> = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const guests = yield* Effect.forEach(
    ["lxc", "qemu"] as const,
    (type) =>
      Effect.map(
        client.guests(type),
        ({ rows }) =>
          rows.map(({ name, status, vmid }) =>
            `${formatGuestRef({ type, vmid })} ${displayText(name ?? "(no name)")} (${displayText(status)})`
          )
      )
  )
  const storages = yield* client.storages
  return [
    fine("guests", `stay, and go on as they are: ${list(guests.flat().sort())}`),
    fine(
      "storages",
      `stay, with all backups and images on them: ${
        list(storages.rows.map(({ storage, type }) => `${storage} (${displayText(type)})`).sort())
      }`
    )
  ]
})

/** What the agent's token has under way at Proxmox VE. While it runs, a task's user is the whole token id (platform-facts 11, item 14). */
const tasks = (tokenId: TokenId): Effect.Effect<ReadonlyArray<Finding>, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const running = (yield* client.tasks({ source: "active" })).rows.filter(({ status, user }) =>
      user === tokenId && (status === null || status === "RUNNING")
    )
    return running.length === 0
      ? [fine("tasks", `none of ${tokenId} runs`)]
      : running.map(({ id, type, upid }) =>
        mend(
          "tasks",
          `${displayText(type)} of ${displayText(id ?? "the node")} runs: ${upid}`,
          "wait until it has ended"
        )
      )
  })

const opsOf = ({ ops, stateDirectory }: Leaving): Effect.Effect<ReadonlyArray<Finding>, never, HostFiles> =>
  Effect.gen(function*() {
    const files = yield* HostFiles
    const state = yield* Effect.orElseSucceed(files.ownership(stateDirectory), Option.none)
    if (Option.isNone(state)) return [fine("ops", `none: there is no ${stateDirectory}, so the agent never ran here`)]
    return yield* Effect.match(ops, {
      onFailure: (error) => [mend("ops", `whether a signed op is under way is not known: ${error.message}`)],
      onSuccess: ({ ops: open = [] }) =>
        open.length === 0
          ? [fine("ops", "no signed op is under way or waits")]
          : open.map(({ stage, words }) =>
            mend(
              "ops",
              `${stage}: ${displayText(words)}`,
              "wait until it has ended; felhom-agent hold keeps others from beginning"
            )
          )
    })
  })

const disks: Effect.Effect<ReadonlyArray<Finding>, never, HostFiles> = Effect.map(
  ourMounts,
  (mounts) =>
    mounts.map(({ name, uuid }) =>
      worthKnowing(
        "disks",
        `${name} (UUID ${uuid}) stays mounted at ${mountPointOf(name)}, and is mounted again when it is plugged in`,
        `to end that: systemctl disable --now ${unitNameOf(name)}; rm /etc/systemd/system/${
          unitNameOf(name)
        }; systemctl daemon-reload`
      )
    )
)

/** What is there, what stays, and whether something of the agent's is under way. Reads only. */
export const leavingFindings = (
  leaving: Leaving
): Effect.Effect<ReadonlyArray<Finding>, never, ProxmoxClient | HostFiles> =>
  Effect.gen(function*() {
    const asked = (name: string, question: Effect.Effect<ReadonlyArray<Finding>, ProxmoxError, ProxmoxClient>) =>
      Effect.catchAll(question, (error) => Effect.succeed([mend(name, error.message)]))
    return [
      ...yield* asked("guests", staying),
      ...yield* disks,
      ...yield* opsOf(leaving),
      ...yield* asked("tasks", tasks(leaving.tokenId)),
      worthKnowing(
        "what goes",
        "with apt remove: the programs, the units and the sockets. Kept for another time: /etc/felhom-agent, " +
          `${leaving.stateDirectory} and ${dropInFile}`,
        `with apt purge also those: the settings, the API token's secret, the host's key, its token at the hub, the record of what was done here (felhom-agent audit verify)`,
        "the user felhom-agent stays, as Debian's system users do"
      )
    ]
  })

/** What takes the agent away, in order, for root to run: nothing of it is run here. */
export const leavingCommands = (tokenId: TokenId): ReadonlyArray<string> => {
  const [user = "", token = ""] = tokenId.split("!")
  return [
    "felhom-agent hold --reason leaving",
    "apt remove felhom-agent    # or: apt purge felhom-agent",
    `pveum acl delete / --tokens '${tokenId}' --roles FelhomAgent`,
    `pveum acl delete / --users '${user}' --roles FelhomAgent`,
    `pveum user token delete ${user} ${token}`,
    `pveum user delete ${user}`,
    "pveum role delete FelhomAgent",
    "felhom retire HOST    # on an operator's machine: the hub expects it no more"
  ]
}

/** What `detach --output json` prints. */
export const DetachResult = Schema.Struct({
  free: Schema.Boolean,
  checks: Schema.Array(Check),
  commands: Schema.Array(Schema.String)
})
export type DetachResult = typeof DetachResult.Type

/** `detach` to its end: it fails while something is under way. */
export const concludedDetach = <R>(
  output: Output,
  tokenId: TokenId,
  questions: Effect.Effect<unknown, SelftestFailed, R>
) =>
  verdict(output, questions, (checks, free) => {
    const commands = leavingCommands(tokenId)
    const count = checks.filter(({ outcome }) => outcome === "failed").length
    return {
      text: free
        ? ["detach: nothing is in the way. As root:", ...commands.map((command) => `  ${command}`)].join("\n")
        : `detach: ${count} in the way`,
      json: { free, checks, commands } satisfies DetachResult
    }
  })
