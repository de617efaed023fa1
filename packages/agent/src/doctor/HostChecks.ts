import { displayText } from "@felhom/domain/DisplayText"
import { humanBytes, humanDuration } from "@felhom/domain/HumanText"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { agentPrivileges, checkRights, grantLines, neededRights, type RightsFinding } from "@felhom/reconciler/Rights"
import { Array as Arr, Clock, Effect, Either } from "effect"
import { type Finding, fine, mend, worthKnowing } from "./Finding.ts"
import { StateFolder } from "./StateFolder.ts"

/** Unprivileged containers by default, the guest's `env` and OCI images: what the agent counts on came with 9.1 (platform-facts 7.4). */
const oldest = { major: 9, minor: 1 }

export const versionCheck = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const { version } = yield* client.version
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const shown = `Proxmox VE ${displayText(version)}`
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor)
    ? [fine("version", shown)]
    : [mend("version", `${shown} is too old: ${oldest.major}.${oldest.minor} or newer is needed; upgrade the host`)]
})

/** The node, and whether it is one of several. */
export const nodeCheck = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const { rows } = yield* client.nodes
  const names = rows.map(({ node }) => node).sort()
  if (!rows.some(({ node }) => node === client.node)) {
    return [mend(
      "node",
      `there is no node ${client.node} here, but ${names.join(", ")}: set FELHOM_AGENT_PROXMOX_NODE to the name that ` +
        "hostname prints on the host"
    )]
  }
  if (rows.length === 1) return [fine("node", `${client.node}, a single host`)]
  const cluster = (yield* client.clusterStatus).rows.find(({ type }) => type === "cluster")
  const others = names.filter((name) => name !== client.node).join(", ")
  return [
    ...(cluster?.quorate === false
      ? [mend("cluster", "the cluster has no quorum, so nothing can be changed: pvecm status on each node")]
      : []),
    worthKnowing(
      "cluster",
      `${client.node} is one of ${rows.length} nodes. This agent looks after ${client.node} and its guests only; ` +
        `${others} take agents of their own`,
      "storages and permissions are the whole cluster's: let one host write them"
    )
  ]
})

/** Seconds that the two clocks may differ: they are the same machine's, so more than a slow answer is a fault. */
const clockToleranceSeconds = 60

export const clockCheck = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const before = yield* Clock.currentTimeMillis
  const { time } = yield* client.nodeTime
  const after = yield* Clock.currentTimeMillis
  const off = Math.round(time - (before + after) / 2000)
  const direction = off > 0 ? "ahead of" : "behind"
  return [
    Math.abs(off) <= clockToleranceSeconds
      ? fine("clock", `the node's is within ${Math.max(1, Math.abs(off))} s of this one`)
      : mend(
        "clock",
        `the node's is ${
          humanDuration(Math.abs(off) * 1000)
        } ${direction} this one: check both (timedatectl; chronyc tracking)`
      )
  ]
})

const rightsFindings = (finding: RightsFinding, tokenId: string): ReadonlyArray<Finding> => {
  const byPath = Object.entries(Arr.groupBy(finding.missing, ({ path }) => path))
  const grants = grantLines(finding, tokenId)
  const missing = finding.missing.length === 0
    ? fine("permissions", `the token ${tokenId} holds all that the agent needs`)
    : mend(
      "permissions",
      ...(finding.nothingHeld ?
        [`the token ${tokenId} may do nothing here`] :
        byPath.map(([path, rights]) => `missing on ${path}: ${rights.map(({ privilege }) => privilege).join(", ")}`)),
      "a token has what it and its user both have, and can't see which of them lacks it: run all of these as root",
      ...grants.map((line) => `  ${line}`)
    )
  return finding.extra.length === 0 ? [missing] : [
    missing,
    worthKnowing(
      "permissions",
      `more than the agent needs: ${finding.extra.map(displayText).join(", ")}`,
      "if they come from its own role, this takes them away:",
      `  pveum role modify FelhomAgent --privs '${agentPrivileges.join(",")}'`
    )
  ]
}

export const rightsCheck = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  return rightsFindings(yield* checkRights(neededRights(client.node)), client.tokenId)
})

const mebibyte = 1024 ** 2
/** Below this the agent takes on no new operations. */
const leastFree = 16 * mebibyte
const littleFree = 256 * mebibyte

/** Whether the daemon can keep its state, and on what. */
export const stateFolderCheck = (directory: string) =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    const seen = yield* Effect.either(folder.look(directory))
    const name = "state folder"
    if (Either.isLeft(seen)) return [mend(name, seen.left.message)]
    const { exists, fileSystem, freeBytes, looked, writable } = seen.right
    const place = `${directory}, on ${fileSystem ?? "a file system that the kernel does not name"}`
    if (!writable) {
      return [mend(
        name,
        `${place}: ${looked} can't be written by this user`,
        "make it writable for the user that runs the agent, mount it read-write, or name another one (FELHOM_AGENT_STATE_DIR)"
      )]
    }
    if (freeBytes < leastFree) {
      return [mend(name, `${place}: ${humanBytes(freeBytes)} left, which is too little; free some space there`)]
    }
    const room = `${place}: ${humanBytes(freeBytes)} free`
    if (freeBytes < littleFree) return [worthKnowing(name, `${room}, which is little`)]
    return [
      exists
        ? fine(name, room)
        : worthKnowing(name, `${room}; it is not there yet, and the daemon makes it at its first start`)
    ]
  })
