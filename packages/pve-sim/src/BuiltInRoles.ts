/** The privileges of one area, by whom Proxmox means them for. `root` ones are in no role but Administrator. */
interface PrivilegeGroup {
  readonly root?: ReadonlyArray<string>
  readonly admin?: ReadonlyArray<string>
  readonly user?: ReadonlyArray<string>
  readonly audit?: ReadonlyArray<string>
}

const under = (area: string, ...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name) => `${area}.${name}`)

// As Proxmox's AccessControl.pm has them; platform-facts 2.1 lists the names.
const groups: { readonly [area: string]: PrivilegeGroup } = {
  VM: {
    admin: [
      ...under("VM.Config", "Disk", "CPU", "Memory", "Network", "HWType", "Options"),
      ...under("VM", "Allocate", "Clone", "Migrate", "Replicate", "Snapshot", "Snapshot.Rollback"),
      "VM.GuestAgent.Unrestricted"
    ],
    user: [
      ...under("VM.Config", "CDROM", "Cloudinit"),
      ...under("VM", "Console", "Backup", "PowerMgmt"),
      ...under("VM.GuestAgent", "FileRead", "FileSystemMgmt", "FileWrite")
    ],
    audit: ["VM.Audit", "VM.GuestAgent.Audit"]
  },
  Sys: {
    root: under("Sys", "PowerMgmt", "Modify", "Incoming", "AccessNetwork"),
    admin: under("Sys", "Console", "Syslog"),
    audit: ["Sys.Audit"]
  },
  Datastore: {
    admin: under("Datastore", "Allocate", "AllocateTemplate"),
    user: ["Datastore.AllocateSpace"],
    audit: ["Datastore.Audit"]
  },
  SDN: { admin: under("SDN", "Allocate", "Audit"), user: ["SDN.Use"], audit: ["SDN.Audit"] },
  User: { root: ["Realm.Allocate"], admin: ["User.Modify", "Group.Allocate", "Realm.AllocateUser"] },
  Pool: { admin: ["Pool.Allocate"], user: ["Pool.Audit"], audit: ["Pool.Audit"] },
  Mapping: { admin: ["Mapping.Modify"], user: ["Mapping.Use"], audit: ["Mapping.Audit"] }
}

const once = (...names: ReadonlyArray<string>): ReadonlyArray<string> => Array.from(new Set(names)).toSorted()

const areas = Object.entries(groups)

/** The roles that every host has and nobody can change, with their privileges in order. */
export const builtInRoles: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["NoAccess", []],
  [
    "Administrator",
    once(
      "Permissions.Modify",
      ...areas.flatMap(([, { admin = [], audit = [], root = [], user = [] }]) => [...root, ...admin, ...user, ...audit])
    )
  ],
  // Mappings are changed by Administrator and PVEMappingAdmin alone.
  [
    "PVEAdmin",
    once(...areas.flatMap(([, { admin = [], audit = [], user = [] }]) => [...admin, ...user, ...audit]))
      .filter((name) => name !== "Mapping.Modify")
  ],
  ["PVEAuditor", once(...areas.flatMap(([, { audit = [] }]) => audit))],
  ["PVETemplateUser", ["VM.Audit", "VM.Clone"]],
  ...areas.map(([area, { admin = [], audit = [], user = [] }]) =>
    [`PVE${area}Admin`, once(...admin, ...user, ...audit)] as const
  ),
  ...areas.flatMap(([area, { audit = [], user }]) =>
    user === undefined ? [] : [[`PVE${area}User`, once(...user, ...audit)] as const]
  )
])
