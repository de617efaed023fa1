import { Effect } from "effect"
import { ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { required } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json, may, type Permission, rootOnly } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import type { Schema } from "../ParameterSchema.ts"
import { sha1Hex } from "../Sha1.ts"
import { asJson } from "./Node.ts"
import { mayUseStorage } from "./Storage.ts"

const inPath = { node: Formats.node }

/** A GET that asks for nothing but what the path says. */
const read = (
  path: string,
  permission: Permission,
  isProtected: boolean,
  parameters: Schema,
  handle: Endpoint["handle"]
): Endpoint => ({ method: "GET", path, permission, protected: isProtected, parameters, handle })

/** What stands below a path, as its index lists it. */
const index = (path: string, key: string, names: string, permission = anyone, parameters: Schema = inPath): Endpoint =>
  read(
    path,
    permission,
    false,
    parameters,
    () => Effect.succeed({ data: names.split(" ").map((name) => ({ [key]: name })) })
  )

const auditNode = all("/nodes/{node}", "Sys.Audit")
const auditRoot = all("/", "Sys.Audit")

const nodeIndex = index(
  "/nodes/{node}",
  "name",
  "aplinfo apt capabilities ceph certificates config disks dns firewall hardware hosts journal lxc migrateall netstat " +
    "network qemu query-oci-repo-tags query-url-metadata replication report rrd rrddata scan sdn services spiceshell startall " +
    "status stopall storage subscription suspendall syslog tasks termproxy time version vncshell vncwebsocket vzdump wakeonlan"
)

const disksIndex = index(
  "/nodes/{node}/disks",
  "name",
  "directory initgpt list lvm lvmthin smart wipedisk zfs"
)

const scanIndex = index("/nodes/{node}/scan", "method", "cifs iscsi lvm lvmthin nfs pbs zfs")

const certificatesIndex = index("/nodes/{node}/certificates", "name", "acme custom info")

const storageIndex = index(
  "/nodes/{node}/storage/{storage}",
  "subdir",
  "content download-url file-restore identity import-metadata oci-registry-pull prunebackups rrd rrddata status upload",
  mayUseStorage,
  { ...inPath, storage: Formats.storage }
)

const dns = read(
  "/nodes/{node}/dns",
  auditNode,
  false,
  inPath,
  (call) => Effect.sync(() => ({ data: { ...call.machine.host.dns } }))
)

const hosts = read("/nodes/{node}/hosts", all("/", "Sys.Audit"), true, inPath, (call) =>
  Effect.sync(() => {
    const { host, node, world } = call.machine
    const data = `127.0.0.1 localhost.localdomain localhost\n${world.node_ip} ${node}.${host.dns.search} ${node}\n`
    return { data: { data, digest: sha1Hex(data) } }
  }))

// A node of which nobody has written anything down.
const config = read(
  "/nodes/{node}/config",
  auditRoot,
  false,
  { ...inPath, property: Formats.text() },
  () => Effect.succeed({ data: {} })
)

const interfaceOf = read(
  "/nodes/{node}/network/{iface}",
  auditNode,
  false,
  { ...inPath, iface: { type: "string", maxLength: 20, minLength: 2 } },
  (call) =>
    Effect.suspend(() => {
      const found = call.machine.world.network.find((row) => row["iface"] === required(call, "iface"))
      if (found === undefined) return Effect.fail(badParameters({ iface: "interface does not exist" }))
      const { iface: _, ...rest } = found
      return Effect.succeed({ data: asJson(rest) })
    })
)

// This host has none of them that was made with Proxmox's help: its disk belongs to the system.
const disks: ReadonlyArray<Endpoint> = [
  read("/nodes/{node}/disks/zfs", auditRoot, true, inPath, () => Effect.succeed({ data: [] })),
  read("/nodes/{node}/disks/directory", auditRoot, true, inPath, () => Effect.succeed({ data: [] })),
  read("/nodes/{node}/disks/lvm", auditRoot, true, inPath, () => Effect.succeed({ data: { leaf: 0, children: [] } }))
]

// Nothing is replicated: there is nowhere to.
const replication: ReadonlyArray<Endpoint> = [
  read(
    "/nodes/{node}/replication",
    anyone,
    true,
    { ...inPath, guest: Formats.optional(Formats.vmid) },
    () => Effect.succeed({ data: [] })
  ),
  read("/cluster/replication", anyone, false, {}, () => Effect.succeed({ data: [] }))
]

const journal = read(
  "/nodes/{node}/journal",
  all("/nodes/{node}", "Sys.Syslog"),
  true,
  {
    ...inPath,
    since: Formats.integer(0),
    until: Formats.integer(0),
    lastentries: Formats.integer(0),
    startcursor: Formats.text(),
    endcursor: Formats.text()
  },
  () => Effect.succeed({ data: [] })
)

const clusterIndex = index(
  "/cluster",
  "name",
  "acme backup backup-info bulk-action ceph config firewall ha jobs log mapping metrics nextid notifications options qemu " +
    "replication resources sdn status tasks",
  anyone,
  {}
)

// Without Sys.Syslog everybody sees what they did themselves; this host's log is empty.
const clusterLog = read(
  "/cluster/log",
  anyone,
  false,
  { max: Formats.integer(1) },
  () => Effect.succeed({ data: [] })
)

const haIndex = index("/cluster/ha", "id", "groups resources rules status", auditRoot, {})

const haResources = read(
  "/cluster/ha/resources",
  auditRoot,
  true,
  { type: Formats.choice("vm", "ct") },
  () => Effect.succeed({ data: [] })
)

const haResource = read(
  "/cluster/ha/resources/{sid}",
  auditRoot,
  true,
  { sid: { type: "string" } },
  (call) =>
    Effect.fail(died(`no such resource '${/^\d+$/.test(required(call, "sid")) ? "vm:" : ""}${required(call, "sid")}'`))
)

const haStatus = read("/cluster/ha/status/current", auditRoot, true, {}, (call) =>
  Effect.sync(() => ({
    data: [{ id: "quorum", type: "quorum", node: call.machine.node, status: "OK", quorate: 1 }]
  })))

const configIndex = index("/cluster/config", "name", "apiversion join nodes qdevice totem", auditRoot, {})

const joinInfo = read(
  "/cluster/config/join",
  auditRoot,
  true,
  { node: Formats.optional(Formats.node) },
  (call) =>
    Effect.fail(
      call.machine.peers.length === 0
        ? died("node is not in a cluster, no join info available!")
        : new ApiFailure({ status: 501, message: "pve-sim does not simulate joining a cluster" })
    )
)

const corosyncNodes = read("/cluster/config/nodes", auditRoot, true, {}, (call) =>
  Effect.sync(() => ({
    data: call.machine.peers.length === 0
      ? []
      : [{ name: call.machine.node, ip: call.machine.world.node_ip }, ...call.machine.peers].map((one, at) => ({
        name: one.name,
        node: one.name,
        nodeid: String(at + 1),
        quorum_votes: "1",
        ring0_addr: one.ip
      }))
  })))

const backupInfoIndex = index("/cluster/backup-info", "subdir", "not-backed-up", rootOnly, {})

/** Which volumes of the job's guests are in its archives (platform-facts 1.4). */
const includedVolumes = read(
  "/cluster/backup/{id}/included_volumes",
  auditRoot,
  true,
  { id: { type: "string", maxLength: 50 } },
  (call) =>
    Effect.suspend(() => {
      const job = call.machine.backupJobs.find((one) => one["id"] === required(call, "id"))
      return job === undefined
        ? Effect.fail(badParameters({ id: `No such job '${required(call, "id")}'` }))
        : Effect.succeed({ data: { children: includedTree(call, String(job["vmid"] ?? "")) } })
    })
)

const includedTree = (call: Call, vmids: string): ReadonlyArray<Json> =>
  vmids.split(",").flatMap((text): ReadonlyArray<Json> => {
    const guest = call.machine.guests.get(Number(text))
    if (guest === undefined || !may(call, `/vms/${text}`, "VM.Audit")) return []
    const volumes = Array.from(guest.file.current.values).filter(([key]) => /^(?:rootfs|mp\d+)$/.test(key))
    return [{
      id: guest.vmid,
      name: guest.file.current.values.get("hostname"),
      type: guest.type,
      children: volumes.map(([key, value]) => {
        const isVolume = !value.startsWith("/")
        const included = key === "rootfs" || (isVolume && /(?:^|,)backup=1(?:,|$)/.test(value))
        return {
          id: `${guest.vmid}:${key}`,
          name: value.split(",")[0],
          included: included ? 1 : 0,
          reason: key === "rootfs" ? "rootfs" : !isVolume ? "not a volume" : included ? "enabled" : "disabled"
        }
      })
    }]
  })

const accessIndex = index(
  "/access",
  "subdir",
  "acl domains groups openid permissions roles tfa ticket users",
  anyone,
  {}
)

const domains = read("/access/domains", anyone, false, {}, () =>
  Effect.succeed({
    data: [
      { realm: "pam", type: "pam", comment: "Linux PAM standard authentication" },
      { realm: "pve", type: "pve", comment: "Proxmox VE authentication server" }
    ]
  }))

const aptIndex = index("/nodes/{node}/apt", "id", "changelog repositories update versions")

const hardwareIndex = index("/nodes/{node}/hardware", "type", "pci usb")

/** What a node, the cluster and the access control tell besides guests, storages and tasks. */
export const endpoints: ReadonlyArray<Endpoint> = [
  nodeIndex,
  disksIndex,
  scanIndex,
  certificatesIndex,
  storageIndex,
  dns,
  hosts,
  config,
  interfaceOf,
  ...disks,
  ...replication,
  journal,
  clusterIndex,
  clusterLog,
  haIndex,
  haResources,
  haResource,
  haStatus,
  configIndex,
  joinInfo,
  corosyncNodes,
  backupInfoIndex,
  includedVolumes,
  accessIndex,
  domains,
  aptIndex,
  hardwareIndex
]
