import type { GuestType } from "@felhom/domain/ProxmoxId"

/**
 * Whose word a change of a configuration key takes (protocol 4): the hub's (`benign`), that of operators who sign, or nobody's
 * over the API.
 */
export type ConfigDecision = "benign" | "needs-signature" | "never"

// Platform-facts 5.1 and 1.3. Numbered keys (`net0`) stand by their family.
const families = [
  "arch",
  "cmode",
  "console",
  "cores",
  "cpulimit",
  "cpuunits",
  "debug",
  "description",
  "dev",
  "entrypoint",
  "env",
  "features",
  "hookscript",
  "hostname",
  "lock",
  "memory",
  "mp",
  "nameserver",
  "net",
  "onboot",
  "ostype",
  "protection",
  "rootfs",
  "searchdomain",
  "startup",
  "swap",
  "tags",
  "template",
  "timezone",
  "tty",
  "unprivileged",
  "unused",
  // Of virtual machines alone.
  "acpi",
  "affinity",
  "agent",
  "args",
  "audio",
  "autostart",
  "balloon",
  "bios",
  "boot",
  "bootdisk",
  "cdrom",
  "cicustom",
  "cipassword",
  "citype",
  "ciupgrade",
  "ciuser",
  "cpu",
  "efidisk",
  "freeze",
  "hostpci",
  "hotplug",
  "hugepages",
  "ide",
  "ipconfig",
  "ivshmem",
  "keephugepages",
  "keyboard",
  "kvm",
  "localtime",
  "machine",
  "migrate_downtime",
  "migrate_speed",
  "name",
  "numa",
  "parallel",
  "reboot",
  "rng",
  "sata",
  "scsi",
  "scsihw",
  "serial",
  "shares",
  "smbios",
  "smp",
  "sockets",
  "spice_enhancements",
  "sshkeys",
  "startdate",
  "tablet",
  "tdf",
  "tpmstate",
  "usb",
  "vcpus",
  "vga",
  "virtio",
  "virtiofs",
  "vmgenid",
  "vmstatestorage",
  "watchdog"
] as const

/** A configuration key that this version knows, without its number. */
export type KeyFamily = (typeof families)[number]

const signed = "needs-signature"

const decisions = {
  cores: "benign",
  cpulimit: "benign",
  cpuunits: "benign",
  memory: "benign",
  swap: "benign",
  onboot: "benign",
  startup: "benign",
  description: "benign",
  tags: "benign",
  hostname: "benign",
  name: "benign",
  nameserver: "benign",
  protection: "benign",
  net: "benign",
  // Nobody could take a lock away again over the API; the others Proxmox takes from root alone (platform-facts 5.1, 5.2).
  lock: "never",
  dev: "never",
  hookscript: "never",
  unprivileged: "never",
  args: "never",
  features: signed,
  arch: signed,
  cmode: signed,
  console: signed,
  debug: signed,
  entrypoint: signed,
  env: signed,
  mp: signed,
  ostype: signed,
  rootfs: signed,
  searchdomain: signed,
  template: signed,
  timezone: signed,
  tty: signed,
  unused: signed,
  acpi: signed,
  affinity: signed,
  agent: signed,
  audio: signed,
  autostart: signed,
  balloon: signed,
  bios: signed,
  boot: signed,
  bootdisk: signed,
  cdrom: signed,
  cicustom: signed,
  cipassword: signed,
  citype: signed,
  ciupgrade: signed,
  ciuser: signed,
  cpu: signed,
  efidisk: signed,
  freeze: signed,
  hostpci: signed,
  hotplug: signed,
  hugepages: signed,
  ide: signed,
  ipconfig: signed,
  ivshmem: signed,
  keephugepages: signed,
  keyboard: signed,
  kvm: signed,
  localtime: signed,
  machine: signed,
  migrate_downtime: signed,
  migrate_speed: signed,
  numa: signed,
  parallel: signed,
  reboot: signed,
  rng: signed,
  sata: signed,
  scsi: signed,
  scsihw: signed,
  serial: signed,
  shares: signed,
  smbios: signed,
  smp: signed,
  sockets: signed,
  spice_enhancements: signed,
  sshkeys: signed,
  startdate: signed,
  tablet: signed,
  tdf: signed,
  tpmstate: signed,
  usb: signed,
  vcpus: signed,
  vga: signed,
  virtio: signed,
  virtiofs: signed,
  vmgenid: signed,
  vmstatestorage: signed,
  watchdog: signed
} as const satisfies { readonly [family in KeyFamily]: ConfigDecision }

type BenignFamily = { [family in KeyFamily]: (typeof decisions)[family] extends "benign" ? family : never }[KeyFamily]

/** A key that a plan may write on the hub's word. Any other does not compile. */
export type BenignKey = Exclude<BenignFamily, "net"> | `net${number}`

// Without one of these a guest is not what it was: no memory limit, no network, open to being destroyed.
const onlySet: ReadonlySet<KeyFamily> = new Set(["memory", "net", "protection"])

const numbered: ReadonlySet<KeyFamily> = new Set([
  "audio",
  "dev",
  "efidisk",
  "hostpci",
  "ide",
  "ipconfig",
  "ivshmem",
  "mp",
  "net",
  "numa",
  "parallel",
  "rng",
  "sata",
  "scsi",
  "serial",
  "smbios",
  "tpmstate",
  "unused",
  "usb",
  "virtio",
  "virtiofs"
])

const known: ReadonlyMap<string, KeyFamily> = new Map(families.map((family) => [family, family]))

const familyOf = (key: string): KeyFamily | undefined => {
  const plain = known.get(key)
  if (plain !== undefined && (plain === "numa" || plain === "rng" || !numbered.has(plain))) return plain
  const family = known.get(key.replace(/(?:0|[1-9]\d{0,2})$/, ""))
  return family !== undefined && family !== plain && numbered.has(family) ? family : undefined
}

const ofOneType: ReadonlyMap<KeyFamily, GuestType> = new Map<KeyFamily, GuestType>([
  ["hostname", "lxc"],
  ["swap", "lxc"],
  ["nameserver", "lxc"],
  ["name", "qemu"]
])

/** What is to become of a key: a text that it is set to, or null where it is cleared. */
export interface KeyChange {
  readonly type: GuestType
  readonly key: string
  readonly text: string | null
}

/** Total over everything that Proxmox may ever call a key: one that this version does not know is nobody's to write. */
export const decideKey = ({ key, text, type }: KeyChange): ConfigDecision => {
  const family = familyOf(key)
  if (family === undefined || (ofOneType.get(family) ?? type) !== type) return "never"
  const decision = decisions[family]
  if (decision !== "benign") return decision
  if (text === null) return onlySet.has(family) ? "needs-signature" : "benign"
  return family === "protection" && text !== "1" ? "needs-signature" : "benign"
}
