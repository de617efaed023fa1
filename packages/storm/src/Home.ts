import type { FaultRule } from "@felhom/pve-sim/Fault"
import { type Machine, makeMachine } from "@felhom/pve-sim/Machine"
import { decodeWorld, type World } from "@felhom/pve-sim/World"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Exit, Scope } from "effect"

/** As whom the agent speaks to Proxmox. */
export const tokenId = "felhom-agent@pve!agent"
export const secret = "5ec2e7aa-bbbb-4ccc-dddd-eeeeeeeeeeee"
export const node = "home"
export const peer = "cellar"
/** What new guests are made from, by the names that root's policy gives them: a template, and archives of guests elsewhere. */
export const images = {
  "debian-13": "local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst",
  "wiki": "local:backup/vzdump-lxc-901-2027_01_02-02_00_00.tar.zst",
  "hooked": "local:backup/vzdump-lxc-902-2027_01_02-02_00_00.tar.zst",
  "router": "local:backup/vzdump-qemu-903-2027_01_02-02_00_00.vma.zst"
} as const

const user = "felhom-agent@pve"
/** What the agent's user and token may do, and where. */
export const granted = { roleid: "FelhomAgent", propagate: 1, path: "/" }

/** A backup of 101 that nobody may just delete, and one that somebody may. */
const backup = (at: string, ctime: number, isProtected: boolean) => ({
  volid: `local:backup/vzdump-lxc-101-2027_01_${at}-02_00_00.tar.zst`,
  content: "backup",
  format: "tar.zst",
  size: 2_100_000,
  ctime,
  vmid: 101,
  subtype: "lxc",
  protected: isProtected ? 1 : 0
})

const container = (
  vmid: number,
  name: string,
  storage: string,
  hwaddr: string,
  more: ReadonlyArray<string> = []
): string =>
  [
    "arch: amd64",
    "cores: 1",
    `hostname: ${name}`,
    "memory: 512",
    `net0: name=eth0,bridge=vmbr0,hwaddr=${hwaddr},ip=manual,type=veth`,
    "onboot: 1",
    "ostype: debian",
    `rootfs: ${storage}:${vmid}/vm-${vmid}-disk-0.raw,size=1G`,
    "swap: 0",
    "unprivileged: 1",
    ...more,
    ""
  ].join("\n")

/** A snapshot of 102, as it was a day before. */
const before = [
  "parent: before",
  "",
  "[before]",
  container(102, "files", "ctstore", "BC:24:11:00:01:02", ["snaptime: 1799913600"]).trimEnd()
]

const machine = [
  "boot: order=scsi0",
  "cores: 1",
  "memory: 512",
  "name: assistant",
  "net0: virtio=BC:24:11:00:02:00,bridge=vmbr0",
  "scsi0: local:200/vm-200-disk-0.raw,size=1G",
  "smbios1: uuid=1741368e-c387-42cc-8971-e25211e7e768",
  ""
].join("\n")

const gib = 1024 ** 3

/** An archive of a guest that is not here. */
const archived = (volid: string, vmid: number, archive_config: string) => ({
  volid,
  content: "backup",
  format: volid.endsWith(".vma.zst") ? "vma.zst" : "tar.zst",
  size: 2_100_000,
  ctime: 1_799_630_000,
  vmid,
  subtype: volid.endsWith(".vma.zst") ? "qemu" : "lxc",
  archive_config
})

/** What those archives hold: the second one a script that would run as root on the host. */
const archives = [
  archived(images.wiki, 901, container(901, "wiki", "local", "BC:24:11:00:09:01")),
  archived(
    images.hooked,
    902,
    container(902, "trap", "local", "BC:24:11:00:09:02", ["hookscript: local:snippets/x.sh"])
  ),
  archived(
    images.router,
    903,
    `${
      machine.replace("name: assistant", "name: router").replaceAll("200", "903")
    }#qmdump#map:scsi0:drive-scsi0:local:raw:\n`
  )
]

/** Somebody's home: two containers and a virtual machine on three storages, with backups and a snapshot. */
const homeWith = (peers: ReadonlyArray<object>): World =>
  Effect.runSync(decodeWorld({
    node,
    peers,
    node_ip: "192.168.1.10",
    timezone: "Europe/Budapest",
    version: { version: "9.2.11", release: "9.2", repoid: "0123456789abcdef" },
    taken_at_unix: { time: 1_800_000_000, localtime: 1_800_003_600 },
    guests: [
      {
        vmid: 101,
        type: "lxc",
        status: "running",
        config_file: container(101, "photos", "local", "BC:24:11:00:01:01", [
          "mp0: thin:vm-101-disk-1,mp=/data,size=1G"
        ])
      },
      {
        vmid: 102,
        type: "lxc",
        status: "running",
        config_file: container(102, "files", "ctstore", "BC:24:11:00:01:02", before)
      },
      { vmid: 200, type: "qemu", status: "running", config_file: machine }
    ],
    storages: [
      { storage: "local", type: "dir", path: "/var/lib/vz", content: "backup,rootdir,images,vztmpl" },
      { storage: "ctstore", type: "btrfs", path: "/mnt/ctstore", content: "images,rootdir" },
      { storage: "thin", type: "lvmthin", vgname: "pve", thinpool: "data", content: "images,rootdir" }
    ],
    storage_status: [
      { storage: "local", total: 200 * gib, used: 20 * gib, avail: 180 * gib, active: 1 },
      { storage: "ctstore", total: 100 * gib, used: 10 * gib, avail: 90 * gib, active: 1 },
      { storage: "thin", total: 50 * gib, used: 5 * gib, avail: 45 * gib, active: 1 }
    ],
    storage_content: {
      local: [
        { format: "tgz", size: 1_071_310, content: "vztmpl", ctime: 1_795_304_787, volid: images["debian-13"] },
        ...archives,
        backup("10", 1_799_542_800, true),
        backup("14", 1_799_888_400, false)
      ]
    },
    roles: { FelhomAgent: agentPrivileges },
    acl: [{ ...granted, type: "user", ugid: user }, { ...granted, type: "token", ugid: tokenId }],
    users: [{ userid: user }, { userid: "root@pam", "realm-type": "pam" }],
    tokens: [{ tokenid: tokenId }]
  }, "the storm's home"))

const alone = homeWith([])
const clustered = homeWith([{ name: peer, ip: "192.168.1.11" }])
/** One home in so many has a second host, which shares its configuration. */
const oneInCluster = 8

/** The host as it stands before anything happens, with what is to go wrong with its Proxmox. Its tasks live in the scope. */
export const makeHome = (
  faults: ReadonlyArray<FaultRule>,
  seed: number
): { readonly make: Effect.Effect<Machine>; readonly close: Effect.Effect<void> } => {
  const scope = Effect.runSync(Scope.make())
  const world = seed % oneInCluster === 3 ? clustered : alone
  return {
    make: Scope.extend(
      makeMachine({ world, speed: 1, secrets: { [tokenId]: secret }, roles: {}, faults, seed }),
      scope
    ),
    close: Scope.close(scope, Exit.void)
  }
}
