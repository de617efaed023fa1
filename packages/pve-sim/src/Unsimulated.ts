import { Effect } from "effect"
import { ApiFailure } from "./ApiFailure.ts"
import { all, anyOf, anyone, either, type Endpoint, type Permission, rootOnly, ticketOnly } from "./Endpoint.ts"
import * as Formats from "./Formats.ts"
import type { Property } from "./ParameterSchema.ts"

type Method = Endpoint["method"]

/** A path that Proxmox has and this host does not play: who may call it is known, what it answers is not made up. */
type Row = readonly [methods: string, path: string, permission: Permission]

const root = (...privileges: ReadonlyArray<string>): Permission => all("/", ...privileges)
const node = (...privileges: ReadonlyArray<string>): Permission => all("/nodes/{node}", ...privileges)
const guest = (...privileges: ReadonlyArray<string>): Permission => all("/vms/{vmid}", ...privileges)

const access: ReadonlyArray<Row> = [
  ["POST", "/access/ticket", ticketOnly],
  ["POST", "/access/vncticket", ticketOnly],
  ["PUT", "/access/password", ticketOnly],
  ["GET", "/access/openid", anyone],
  ["POST", "/access/openid/auth-url", anyone],
  ["POST", "/access/openid/login", anyone],
  ["POST", "/access/domains", all("/access/realm", "Realm.Allocate")],
  ["GET", "/access/domains/{realm}", either(anyOf("/access/realm", "Realm.Allocate", "Sys.Audit"))],
  ["PUT,DELETE", "/access/domains/{realm}", all("/access/realm", "Realm.Allocate")],
  ["POST", "/access/domains/{realm}/sync", all("/access/realm/{realm}", "Realm.AllocateUser")],
  ["GET", "/access/tfa", anyone],
  ["GET", "/access/tfa/{userid}", either({ kind: "self" }, anyOf("/access/groups", "User.Modify", "Sys.Audit"))],
  ["POST", "/access/tfa/{userid}", ticketOnly],
  ["GET", "/access/tfa/{userid}/{id}", either({ kind: "self" }, anyOf("/access/groups", "User.Modify", "Sys.Audit"))],
  ["PUT,DELETE", "/access/tfa/{userid}/{id}", ticketOnly],
  ["GET", "/access/users/{userid}/tfa", either({ kind: "self" }, anyOf("/access/groups", "User.Modify", "Sys.Audit"))],
  ["PUT", "/access/users/{userid}/unlock-tfa", all("/access/groups", "User.Modify")]
]

const cluster: ReadonlyArray<Row> = [
  ["GET", "/cluster/acme", anyone],
  ["GET", "/cluster/acme/account", anyone],
  ["POST", "/cluster/acme/account", rootOnly],
  ["GET,PUT,DELETE", "/cluster/acme/account/{name}", rootOnly],
  ["GET", "/cluster/acme/challenge-schema", anyone],
  ["GET", "/cluster/acme/directories", anyone],
  ["GET", "/cluster/acme/meta", anyone],
  ["GET,POST", "/cluster/acme/plugins", root("Sys.Modify")],
  ["GET,PUT,DELETE", "/cluster/acme/plugins/{id}", root("Sys.Modify")],
  ["GET", "/cluster/acme/tos", anyone],
  ["GET", "/cluster/ceph", root("Sys.Audit")],
  ["GET", "/cluster/ceph/flags", root("Sys.Audit")],
  ["PUT", "/cluster/ceph/flags", root("Sys.Modify")],
  ["GET", "/cluster/ceph/metadata", anyOf("/", "Sys.Audit", "Datastore.Audit")],
  ["GET", "/cluster/ceph/status", anyOf("/", "Sys.Audit", "Datastore.Audit")],
  ["POST", "/cluster/config", rootOnly],
  ["GET", "/cluster/config/apiversion", root("Sys.Audit")],
  ["POST", "/cluster/config/join", rootOnly],
  ["POST,DELETE", "/cluster/config/nodes/{name}", rootOnly],
  ["GET", "/cluster/config/qdevice", root("Sys.Audit")],
  ["GET", "/cluster/config/totem", root("Sys.Audit")],
  ["GET", "/cluster/firewall/aliases", root("Sys.Audit")],
  ["POST", "/cluster/firewall/aliases", root("Sys.Modify")],
  ["GET", "/cluster/firewall/groups", anyone],
  ["POST", "/cluster/firewall/groups", root("Sys.Modify")],
  ["GET", "/cluster/firewall/ipset", root("Sys.Audit")],
  ["POST", "/cluster/firewall/ipset", root("Sys.Modify")],
  ["GET", "/cluster/firewall/macros", anyone],
  ["PUT", "/cluster/firewall/options", root("Sys.Modify")],
  ["GET", "/cluster/firewall/refs", root("Sys.Audit")],
  ["POST", "/cluster/firewall/rules", root("Sys.Modify")],
  ["GET", "/cluster/ha/groups", root("Sys.Audit")],
  ["POST", "/cluster/ha/groups", root("Sys.Console")],
  ["POST", "/cluster/ha/resources", root("Sys.Console")],
  ["PUT,DELETE", "/cluster/ha/resources/{sid}", root("Sys.Console")],
  ["POST", "/cluster/ha/resources/{sid}/migrate", root("Sys.Console")],
  ["POST", "/cluster/ha/resources/{sid}/relocate", root("Sys.Console")],
  ["GET", "/cluster/ha/rules", root("Sys.Audit")],
  ["POST", "/cluster/ha/rules", root("Sys.Console")],
  ["GET", "/cluster/ha/status/manager_status", root("Sys.Audit")],
  ["GET", "/cluster/jobs", anyone],
  ["GET", "/cluster/jobs/realm-sync", root("Sys.Audit")],
  ["GET", "/cluster/jobs/schedule-analyze", anyone],
  ["GET", "/cluster/mapping/dir", anyone],
  ["GET", "/cluster/mapping/pci", anyone],
  ["GET", "/cluster/mapping/usb", anyone],
  ["POST", "/cluster/mapping/dir", all("/mapping/dir", "Mapping.Modify")],
  ["POST", "/cluster/mapping/pci", all("/mapping/pci", "Mapping.Modify")],
  ["POST", "/cluster/mapping/usb", all("/mapping/usb", "Mapping.Modify")],
  ["GET", "/cluster/metrics/export", root("Sys.Audit")],
  ["GET", "/cluster/metrics/server", root("Sys.Audit")],
  ["GET", "/cluster/metrics/server/{id}", root("Sys.Audit")],
  ["POST,PUT,DELETE", "/cluster/metrics/server/{id}", root("Sys.Modify")],
  ["GET", "/cluster/notifications/endpoints", anyone],
  ["GET", "/cluster/notifications/matchers", anyone],
  ["GET", "/cluster/notifications/targets", anyone],
  ["PUT", "/cluster/options", root("Sys.Modify")],
  ["POST", "/cluster/replication", anyone],
  ["GET,PUT,DELETE", "/cluster/replication/{id}", anyone],
  ["GET", "/cluster/sdn", anyone],
  ["PUT", "/cluster/sdn", all("/sdn", "SDN.Allocate")],
  ["GET", "/cluster/sdn/vnets", anyone],
  ["POST", "/cluster/sdn/vnets", all("/sdn/vnets", "SDN.Allocate")],
  ["GET", "/cluster/sdn/zones", anyone],
  ["POST", "/cluster/sdn/zones", all("/sdn/zones", "SDN.Allocate")]
]

const nodes: ReadonlyArray<Row> = [
  ["GET", "/nodes/{node}/aplinfo", anyone],
  ["POST", "/nodes/{node}/aplinfo", all("/storage/{storage}", "Datastore.AllocateTemplate")],
  ["GET", "/nodes/{node}/apt/changelog", node("Sys.Modify")],
  ["GET", "/nodes/{node}/apt/repositories", node("Sys.Audit")],
  ["POST,PUT", "/nodes/{node}/apt/repositories", node("Sys.Modify")],
  ["GET,POST", "/nodes/{node}/apt/update", node("Sys.Modify")],
  ["GET", "/nodes/{node}/apt/versions", node("Sys.Audit")],
  ["GET", "/nodes/{node}/capabilities/qemu/cpu", anyone],
  ["GET", "/nodes/{node}/capabilities/qemu/machines", anyone],
  ["GET", "/nodes/{node}/ceph/status", anyOf("/", "Sys.Audit", "Datastore.Audit")],
  ["POST,PUT,DELETE", "/nodes/{node}/certificates/acme/certificate", node("Sys.Modify")],
  ["POST,DELETE", "/nodes/{node}/certificates/custom", node("Sys.Modify")],
  ["PUT", "/nodes/{node}/config", root("Sys.Modify")],
  ["POST", "/nodes/{node}/disks/directory", root("Sys.Modify")],
  ["DELETE", "/nodes/{node}/disks/directory/{name}", root("Sys.Modify")],
  ["POST", "/nodes/{node}/disks/initgpt", root("Sys.Modify")],
  ["POST", "/nodes/{node}/disks/lvm", root("Sys.Modify")],
  ["DELETE", "/nodes/{node}/disks/lvm/{name}", root("Sys.Modify")],
  ["POST", "/nodes/{node}/disks/lvmthin", root("Sys.Modify")],
  ["DELETE", "/nodes/{node}/disks/lvmthin/{name}", root("Sys.Modify")],
  ["PUT", "/nodes/{node}/disks/wipedisk", rootOnly],
  ["POST", "/nodes/{node}/disks/zfs", root("Sys.Modify")],
  ["GET", "/nodes/{node}/disks/zfs/{name}", root("Sys.Audit")],
  ["DELETE", "/nodes/{node}/disks/zfs/{name}", root("Sys.Modify")],
  ["PUT", "/nodes/{node}/dns", node("Sys.Modify")],
  ["POST", "/nodes/{node}/execute", node("Sys.Audit")],
  ["GET", "/nodes/{node}/firewall/log", node("Sys.Syslog")],
  ["PUT", "/nodes/{node}/firewall/options", node("Sys.Modify")],
  ["POST", "/nodes/{node}/firewall/rules", node("Sys.Modify")],
  ["GET", "/nodes/{node}/hardware/pci", root("Sys.Modify")],
  ["GET", "/nodes/{node}/hardware/usb", root("Sys.Modify")],
  ["POST", "/nodes/{node}/hosts", node("Sys.Modify")],
  ["POST", "/nodes/{node}/migrateall", anyone],
  ["GET", "/nodes/{node}/netstat", node("Sys.Audit")],
  ["POST,PUT,DELETE", "/nodes/{node}/network", node("Sys.Modify")],
  ["PUT,DELETE", "/nodes/{node}/network/{iface}", node("Sys.Modify")],
  [
    "GET",
    "/nodes/{node}/query-oci-repo-tags",
    either(root("Sys.Audit", "Sys.Modify"), node("Sys.AccessNetwork"))
  ],
  ["GET", "/nodes/{node}/query-url-metadata", either(root("Sys.Audit", "Sys.Modify"), node("Sys.AccessNetwork"))],
  ["GET", "/nodes/{node}/report", node("Sys.Audit")],
  ["GET", "/nodes/{node}/rrd", node("Sys.Audit")],
  ["GET", "/nodes/{node}/scan/cifs", all("/storage", "Datastore.Allocate")],
  ["GET", "/nodes/{node}/scan/iscsi", all("/storage", "Datastore.Allocate")],
  ["GET", "/nodes/{node}/scan/lvm", all("/storage", "Datastore.Allocate")],
  ["GET", "/nodes/{node}/scan/lvmthin", all("/storage", "Datastore.Allocate")],
  ["GET", "/nodes/{node}/scan/nfs", all("/storage", "Datastore.Allocate")],
  ["GET", "/nodes/{node}/scan/pbs", all("/storage", "Datastore.Allocate")],
  ["GET", "/nodes/{node}/scan/zfs", all("/storage", "Datastore.Allocate")],
  ["GET", "/nodes/{node}/sdn/zones", anyone],
  ["GET", "/nodes/{node}/services", node("Sys.Audit")],
  ["GET", "/nodes/{node}/services/{service}/state", node("Sys.Audit")],
  ["POST", "/nodes/{node}/services/{service}/reload", node("Sys.Modify")],
  ["POST", "/nodes/{node}/services/{service}/restart", node("Sys.Modify")],
  ["POST", "/nodes/{node}/services/{service}/start", node("Sys.Modify")],
  ["POST", "/nodes/{node}/services/{service}/stop", node("Sys.Modify")],
  ["POST", "/nodes/{node}/spiceshell", node("Sys.Console")],
  ["POST", "/nodes/{node}/stopall", anyone],
  ["GET", "/nodes/{node}/subscription", anyone],
  ["POST,PUT,DELETE", "/nodes/{node}/subscription", node("Sys.Modify")],
  ["POST", "/nodes/{node}/suspendall", anyone],
  ["POST", "/nodes/{node}/termproxy", node("Sys.Console")],
  ["PUT", "/nodes/{node}/time", node("Sys.Modify")],
  ["POST", "/nodes/{node}/vncshell", node("Sys.Console")],
  ["GET", "/nodes/{node}/vncwebsocket", node("Sys.Console")],
  ["POST", "/nodes/{node}/wakeonlan", node("Sys.PowerMgmt")]
]

const storage: ReadonlyArray<Row> = [
  [
    "POST",
    "/nodes/{node}/storage/{storage}/download-url",
    {
      kind: "both",
      of: [
        all("/storage/{storage}", "Datastore.AllocateTemplate"),
        either(root("Sys.Audit", "Sys.Modify"), node("Sys.AccessNetwork"))
      ]
    }
  ],
  ["GET", "/nodes/{node}/storage/{storage}/file-restore/download", anyone],
  ["GET", "/nodes/{node}/storage/{storage}/file-restore/list", anyone],
  [
    "GET",
    "/nodes/{node}/storage/{storage}/identity",
    anyOf("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")
  ],
  ["GET", "/nodes/{node}/storage/{storage}/import-metadata", anyone],
  [
    "POST",
    "/nodes/{node}/storage/{storage}/oci-registry-pull",
    { kind: "both", of: [all("/storage/{storage}", "Datastore.AllocateTemplate"), node("Sys.AccessNetwork")] }
  ],
  [
    "GET",
    "/nodes/{node}/storage/{storage}/rrd",
    anyOf("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")
  ],
  ["POST", "/nodes/{node}/storage/{storage}/content/{volume}", anyone],
  ["POST", "/nodes/{node}/storage/{storage}/upload", all("/storage/{storage}", "Datastore.AllocateTemplate")]
]

const ofBothTypes: ReadonlyArray<Row> = (["lxc", "qemu"] as const).flatMap((type): ReadonlyArray<Row> => {
  const path = `/nodes/{node}/${type}/{vmid}`
  return [
    ["GET", `${path}/firewall/aliases`, guest("VM.Audit")],
    ["POST", `${path}/firewall/aliases`, guest("VM.Config.Network")],
    ["GET", `${path}/firewall/ipset`, guest("VM.Audit")],
    ["POST", `${path}/firewall/ipset`, guest("VM.Config.Network")],
    ["GET", `${path}/firewall/log`, guest("VM.Console")],
    ["GET", `${path}/firewall/refs`, guest("VM.Audit")],
    ["GET", `${path}/firewall/rules`, guest("VM.Audit")],
    ["POST", `${path}/firewall/rules`, guest("VM.Config.Network")],
    ["GET,PUT,DELETE", `${path}/firewall/rules/{pos}`, guest("VM.Config.Network")],
    ["GET,POST", `${path}/migrate`, guest("VM.Migrate")],
    ["GET", `${path}/mtunnelwebsocket`, guest("VM.Audit")],
    ["POST", `${path}/mtunnel`, all("/", "Sys.Incoming")],
    ["POST", `${path}/remote_migrate`, guest("VM.Migrate")],
    ["GET", `${path}/rrd`, guest("VM.Audit")],
    ["POST", `${path}/spiceproxy`, guest("VM.Console")],
    ["POST", `${path}/status/suspend`, guest("VM.PowerMgmt")],
    ["POST", `${path}/status/resume`, guest("VM.PowerMgmt")],
    ["POST", `${path}/termproxy`, guest("VM.Console")],
    ["POST", `${path}/vncproxy`, guest("VM.Console")],
    ["GET", `${path}/vncwebsocket`, guest("VM.Console")]
  ]
})

const qemu: ReadonlyArray<Row> = [
  ["GET", "/nodes/{node}/qemu/{vmid}/cloudinit", guest("VM.Audit")],
  ["PUT", "/nodes/{node}/qemu/{vmid}/cloudinit", guest("VM.Config.Cloudinit")],
  ["GET", "/nodes/{node}/qemu/{vmid}/cloudinit/dump", guest("VM.Audit")],
  ["POST", "/nodes/{node}/qemu/{vmid}/monitor", anyOf("/vms/{vmid}", "Sys.Audit", "Sys.Modify")],
  ["POST", "/nodes/{node}/qemu/{vmid}/move_disk", anyone],
  ["PUT", "/nodes/{node}/qemu/{vmid}/sendkey", guest("VM.Console")],
  ["POST", "/nodes/{node}/qemu/{vmid}/status/reset", guest("VM.PowerMgmt")],
  ["PUT", "/nodes/{node}/qemu/{vmid}/unlink", guest("VM.Config.Disk")]
]

/** The word with which this host says so: not Proxmox's, so that nobody takes it for Proxmox's answer. */
const said = (method: string, path: string): string =>
  `pve-sim does not simulate '${method} ${path}'; Proxmox VE has it`

const formats: { readonly [name: string]: Property } = {
  node: Formats.node,
  vmid: Formats.vmid,
  storage: Formats.storage
}

const isMethod = (text: string): text is Method => ["GET", "POST", "PUT", "DELETE"].includes(text)

/**
 * Endpoints that Proxmox has and this host answers with 501 and a word of its own, once it is clear that the caller may and that
 * the path's parameters are well formed. What Proxmox itself does not have is its own 501.
 */
export const unsimulated: ReadonlyArray<Endpoint> = [
  ...access,
  ...cluster,
  ...nodes,
  ...storage,
  ...ofBothTypes,
  ...qemu
].flatMap(([methods, path, permission]) =>
  methods.split(",").filter(isMethod).map((method): Endpoint => ({
    method,
    path,
    permission,
    protected: false,
    open: true,
    parameters: Object.fromEntries(
      Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = ""]) => [name, formats[name] ?? { type: "string" }])
    ),
    handle: () => Effect.fail(new ApiFailure({ status: 501, message: said(method, path) }))
  }))
)
