import type { FaultRule } from "@felhom/pve-sim/Fault"
import { type Machine, makeMachine } from "@felhom/pve-sim/Machine"
import { decodeWorld, type World } from "@felhom/pve-sim/World"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Exit, Scope } from "effect"

/** As whom the agent speaks to Proxmox. */
export const tokenId = "felhom-agent@pve!agent"
export const secret = "5ec2e7aa-bbbb-4ccc-dddd-eeeeeeeeeeee"
export const node = "home"
/** What new containers are made from. */
export const archive = "local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst"

const user = "felhom-agent@pve"
const granted = { roleid: "FelhomAgent", propagate: 1, path: "/" }

const container = (vmid: number, name: string, storage: string, hwaddr: string): string =>
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
    ""
  ].join("\n")

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

/** Somebody's home: two containers and a virtual machine on two storages. */
const home: World = Effect.runSync(decodeWorld({
  node,
  node_ip: "192.168.1.10",
  timezone: "Europe/Budapest",
  version: { version: "9.2.11", release: "9.2", repoid: "0123456789abcdef" },
  taken_at_unix: { time: 1_800_000_000, localtime: 1_800_003_600 },
  guests: [
    { vmid: 101, type: "lxc", status: "running", config_file: container(101, "photos", "local", "BC:24:11:00:01:01") },
    { vmid: 102, type: "lxc", status: "running", config_file: container(102, "files", "ctstore", "BC:24:11:00:01:02") },
    { vmid: 200, type: "qemu", status: "running", config_file: machine }
  ],
  storages: [
    { storage: "local", type: "dir", path: "/var/lib/vz", content: "backup,rootdir,images,vztmpl" },
    { storage: "ctstore", type: "btrfs", path: "/mnt/ctstore", content: "images,rootdir" }
  ],
  storage_status: [
    { storage: "local", total: 200 * gib, used: 20 * gib, avail: 180 * gib, active: 1 },
    { storage: "ctstore", total: 100 * gib, used: 10 * gib, avail: 90 * gib, active: 1 }
  ],
  storage_content: {
    local: [{
      format: "tgz",
      size: 1_071_310,
      content: "vztmpl",
      ctime: 1_795_304_787,
      volid: archive
    }]
  },
  roles: { FelhomAgent: agentPrivileges },
  acl: [{ ...granted, type: "user", ugid: user }, { ...granted, type: "token", ugid: tokenId }],
  users: [{ userid: user }, { userid: "root@pam", "realm-type": "pam" }],
  tokens: [{ tokenid: tokenId }]
}, "the storm's home"))

/** The host as it stands before anything happens, with what is to go wrong with its Proxmox. Its tasks live in the scope. */
export const makeHome = (
  faults: ReadonlyArray<FaultRule>,
  seed: number
): { readonly make: Effect.Effect<Machine>; readonly close: Effect.Effect<void> } => {
  const scope = Effect.runSync(Scope.make())
  return {
    make: Scope.extend(
      makeMachine({ world: home, speed: 1, secrets: { [tokenId]: secret }, roles: {}, faults, seed }),
      scope
    ),
    close: Scope.close(scope, Exit.void)
  }
}
