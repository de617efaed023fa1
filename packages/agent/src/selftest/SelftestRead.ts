import { displayText } from "@felhom/domain/DisplayText"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { checkRights, explainMissing, neededRights, type RightsFinding } from "@felhom/reconciler/Rights"
import { Data, Effect } from "effect"
import { Checklist } from "./Checklist.ts"

/** A check whose question was answered, but not well. */
class NotAsNeeded extends Data.TaggedError("NotAsNeeded")<{ readonly message: string }> {}

// Proxmox gives lists in any order.
const list = (items: ReadonlyArray<string>): string =>
  items.length === 0 ? "none" : items.map(displayText).sort().join(", ")

const unreadable = (rows: ReadonlyArray<{ readonly row: string }>): string =>
  rows.length === 0 ? "" : `; could not read ${list(rows.map(({ row }) => row))}`

/** All the rights that the agent will need, or the lines that give them. */
export const rightsStep = Effect.gen(function*() {
  const checklist = yield* Checklist
  const client = yield* ProxmoxClient
  const needed = neededRights(client.node)
  const sufficient = (finding: RightsFinding) =>
    finding.missing.length === 0
      ? Effect.succeed(finding)
      : new NotAsNeeded({ message: explainMissing(finding, client.tokenId) })
  const finding = yield* checklist.step(
    "permissions",
    Effect.flatMap(checkRights(needed), sufficient),
    () => `the token ${client.tokenId} holds all that the agent needs`
  )
  if (finding.extra.length > 0) {
    yield* checklist.note("permissions", `more than the agent needs: ${list(finding.extra)}`)
  }
})

const nodeStep = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const { rows } = yield* client.nodes
  const own = rows.find((row) => row.node === client.node)
  if (own === undefined) {
    return yield* new NotAsNeeded({
      message: `there is no node ${client.node} here, but ${list(rows.map((row) => row.node))}: set ` +
        "FELHOM_AGENT_PROXMOX_NODE to the name that hostname prints on the host"
    })
  }
  if (own.status !== "online") {
    return yield* new NotAsNeeded({ message: `node ${own.node} is ${own.status ?? "in an unknown state"}` })
  }
  return { own, others: rows.length - 1 }
})

const guestsStep = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  const lxc = yield* client.guests("lxc")
  const qemu = yield* client.guests("qemu")
  return {
    rows: [...lxc.rows.map((row) => ({ ...row, type: "lxc" })), ...qemu.rows.map((row) => ({ ...row, type: "qemu" }))],
    unreadable: [...lxc.unreadable, ...qemu.unreadable]
  }
})

/**
 * Reads, and changes nothing: version, node, guests, storages, rights. An empty list is only called empty when the token has
 * the right to see what would be in it (platform-facts 3.2).
 */
export const selftestRead = Effect.gen(function*() {
  const checklist = yield* Checklist
  const client = yield* ProxmoxClient
  yield* checklist.step("version", client.version, ({ version }) => `Proxmox VE ${displayText(version)}`)
  yield* checklist.step(
    "node",
    nodeStep,
    ({ others, own }) => `${own.node} is online${others > 0 ? `, with ${others} other node(s) in its cluster` : ""}`
  )
  yield* checklist.step("guests", guestsStep, (guests) => {
    const names = guests.rows.map((row) => `${row.type}/${row.vmid} ${row.name ?? "(no name)"}`)
    return `${guests.rows.length} visible: ${list(names)}${unreadable(guests.unreadable)}`
  })
  const storages = yield* checklist.step("storages", client.storages, ({ rows, unreadable: bad }) => {
    const names = rows.map((row) => `${row.storage} (${row.type})`)
    return `${rows.length} visible: ${list(names)}${unreadable(bad)}`
  })
  for (const storage of storages.rows.filter((row) => row.enabled && !row.active)) {
    yield* checklist.note(
      "storages",
      `${storage.storage} is enabled but not active: not mounted, or its server is away`
    )
  }
  yield* rightsStep
})
