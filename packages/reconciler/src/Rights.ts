import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Array as Arr, Effect } from "effect"

const vm = [
  "VM.Allocate",
  "VM.Audit",
  "VM.Backup",
  "VM.Config.CPU",
  "VM.Config.Disk",
  "VM.Config.Memory",
  "VM.Config.Network",
  "VM.Config.Options",
  "VM.PowerMgmt",
  "VM.Snapshot",
  "VM.Snapshot.Rollback"
] as const
const datastore = ["Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.Audit"] as const

/** The role FelhomAgent: 16 privileges (platform-facts 2.2). */
export const agentPrivileges = [...vm, ...datastore, "Sys.Audit", "SDN.Use"] as const
export type AgentPrivilege = (typeof agentPrivileges)[number]

/** A privilege on the path where Proxmox checks it (platform-facts 2.3). */
export interface Right {
  readonly privilege: AgentPrivilege
  readonly path: string
}

/** What the agent needs on a node, all of it. */
export const neededRights = (node: string): ReadonlyArray<Right> => [
  ...vm.map((privilege) => ({ privilege, path: "/vms" })),
  ...datastore.map((privilege) => ({ privilege, path: "/storage" })),
  { privilege: "Sys.Audit", path: "/" },
  { privilege: "Sys.Audit", path: `/nodes/${node}` },
  { privilege: "SDN.Use", path: "/sdn/zones/localnetwork" }
]

/** What a token may do, against what is needed. */
export interface RightsFinding {
  readonly missing: ReadonlyArray<Right>
  /** Privileges that the token holds and the agent has no use for. */
  readonly extra: ReadonlyArray<string>
  /** It may do nothing at all: most likely the ACL of the token or of its user is missing. */
  readonly nothingHeld: boolean
}

/** Asks Proxmox for the token's effective rights on exactly the paths that matter. */
export const checkRights = (
  needed: ReadonlyArray<Right>
): Effect.Effect<RightsFinding, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const paths = [...new Set(needed.map(({ path }) => path))]
    const answers = yield* Effect.forEach(paths, (path) => client.permissions(path), { concurrency: 2 })
    // A privilege is held if its key exists; the value only tells whether it is inherited below (platform-facts 3.3).
    const held = new Map(paths.map((path, index) => [path, new Set(Object.keys(answers[index]?.[path] ?? {}))]))
    const known: ReadonlySet<string> = new Set(agentPrivileges)
    const all = new Set([...held.values()].flatMap((privileges) => [...privileges]))
    return {
      missing: needed.filter(({ path, privilege }) => held.get(path)?.has(privilege) !== true),
      extra: [...all].filter((privilege) => !known.has(privilege)).sort(),
      nothingHeld: all.size === 0
    }
  })

/**
 * The lines that give what is missing: to the role, and the role to user and token, since a token can't tell which of the two
 * lacks it (platform-facts 11, item 13). They are printed, never run.
 */
export const grantLines = (finding: RightsFinding, tokenId: string): ReadonlyArray<string> => {
  const user = tokenId.split("!")[0] ?? tokenId
  const privileges = [...new Set(finding.missing.map(({ privilege }) => privilege))]
  return [
    ...(finding.nothingHeld || privileges.length === 0
      ? []
      : [`pveum role modify FelhomAgent --append --privs '${privileges.join(",")}'`]),
    `pveum acl modify / --users '${user}' --roles FelhomAgent`,
    `pveum acl modify / --tokens '${tokenId}' --roles FelhomAgent`
  ]
}

/** Why a token with the role may still do nothing, in words, with the lines that mend it. */
export const explainMissing = (finding: RightsFinding, tokenId: string): string => {
  const [user = "", token = ""] = grantLines({ ...finding, nothingHeld: true }, tokenId)
  const grant = `${user}; ${token}`
  if (finding.nothingHeld) {
    return `the token ${tokenId} may do nothing here. With privilege separation its rights are what user and token have in ` +
      `common, so the role must be granted to both: ${grant}`
  }
  const byPath = Object.entries(Arr.groupBy(finding.missing, ({ path }) => path))
  const listed = byPath.map(([path, rights]) => `${rights.map(({ privilege }) => privilege).join(", ")} on ${path}`)
  return `the token ${tokenId} lacks ${
    listed.join("; ")
  }. Give the role what it lacks (pveum role modify FelhomAgent ` +
    `--append --privs '${
      [...new Set(finding.missing.map(({ privilege }) => privilege))].join(",")
    }'), and the role to user ` +
    `and token (${grant})`
}
