import * as Formats from "./Formats.ts"
import type { Property, Schema } from "./ParameterSchema.ts"
import { propertyString } from "./PropertyFormat.ts"
import * as Values from "./ValueFormats.ts"

const numbered = (prefix: string, count: number, property: Property): Schema =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, property]))

const cardName: Property = { type: "string", pattern: /^[-_.\p{L}\p{N}]+$/u }

/** The parts of `netN`. */
export const cardProperties: Schema = {
  name: cardName,
  bridge: Formats.optional(cardName),
  hwaddr: Values.of(Values.hwaddr),
  ip: Values.of(Values.ipv4Config),
  gw: Values.of(Values.ipv4),
  ip6: Values.of(Values.ipv6Config),
  gw6: Values.of(Values.ipv6),
  tag: Formats.integer(1, 4094),
  trunks: { type: "string", optional: true, pattern: /^\d+(?:;\d+)*$/ },
  mtu: Formats.integer(64, 65535),
  rate: { type: "number", optional: true },
  firewall: Formats.flag,
  link_down: Formats.flag,
  "host-managed": Formats.flag,
  type: Formats.choice("veth")
}

const mountOption = "(?:discard|lazytime|noatime|nodev|noexec|nosuid)"

/** The parts of `rootfs`. */
export const volumeProperties: Schema = {
  volume: { type: "string", format: Values.mountPath },
  size: Values.of(Values.diskSize),
  acl: Formats.flag,
  ro: Formats.flag,
  quota: Formats.flag,
  replicate: Formats.flag,
  shared: Formats.flag,
  mountoptions: { type: "string", optional: true, pattern: new RegExp(`^${mountOption}(?:;${mountOption})*$`) },
  idmap: {
    type: "string",
    optional: true,
    pattern: /^(?:passthrough|[ug]:\d+:\d+:[1-9]\d*(?:;[ug]:\d+:\d+:[1-9]\d*)*)$/
  }
}

/** The parts of `mpN`. */
export const mountProperties: Schema = {
  ...volumeProperties,
  mp: { type: "string", format: Values.mountPath },
  backup: Formats.flag,
  keepattrs: Formats.flag
}

const deviceProperties: Schema = {
  path: Values.of(Values.devicePath),
  mode: { type: "string", optional: true, pattern: /^0[0-7]{3}$/ },
  uid: Formats.integer(0),
  gid: Formats.integer(0),
  "deny-write": Formats.flag
}

/** The parts of `features` (platform-facts 5.2). */
export const featureProperties: Schema = {
  ...Object.fromEntries(
    ["nesting", "keyctl", "fuse", "mknod", "force_rw_sys"].map((name) => [name, Formats.flag])
  ),
  mount: { type: "string", optional: true, pattern: /^[a-zA-Z0-9_; ]+$/ }
}

// oxlint-disable-next-line no-control-regex -- these are the ones that Proxmox refuses
const entrypoint = /^[^\x00-\x08\x10-\x1F\x7F]+$/
// oxlint-disable-next-line no-control-regex -- NUL separates, and the others are refused
const environment = /^(?:\w+=[^\x00-\x08\x10-\x1F\x7F]*)(?:\0\w+=[^\x00-\x08\x10-\x1F\x7F]*)*$/

/** The keys of a container's configuration that the API knows (platform-facts 5.1). Raw `lxc.*` keys are not among them. */
export const lxcConfigSchema: Schema = {
  arch: Formats.choice("amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"),
  cmode: Formats.choice("shell", "console", "tty"),
  console: Formats.flag,
  cores: Formats.integer(1, 8192),
  cpulimit: { type: "number", optional: true, minimum: 0, maximum: 8192 },
  cpuunits: Formats.integer(0, 500_000),
  debug: Formats.flag,
  description: Formats.text(8192),
  entrypoint: { type: "string", optional: true, pattern: entrypoint },
  env: { type: "string", optional: true, pattern: environment },
  features: Values.of(propertyString(featureProperties)),
  hookscript: Values.of(Values.volumeId),
  hostname: { type: "string", optional: true, format: Values.dnsName, maxLength: 255 },
  lock: Formats.choice(
    "backup",
    "create",
    "destroyed",
    "disk",
    "fstrim",
    "migrate",
    "mounted",
    "rollback",
    "snapshot",
    "snapshot-delete"
  ),
  memory: Formats.integer(16),
  nameserver: Values.of(Values.nameservers),
  onboot: Formats.flag,
  ostype: Formats.choice(
    "debian",
    "devuan",
    "ubuntu",
    "centos",
    "fedora",
    "opensuse",
    "archlinux",
    "alpine",
    "gentoo",
    "nixos",
    "unmanaged"
  ),
  protection: Formats.flag,
  rootfs: Values.of(propertyString(volumeProperties, "volume")),
  searchdomain: Values.of(Values.dnsNames),
  startup: Values.of(Values.startupOrder),
  swap: Formats.integer(0),
  tags: Values.of(Formats.tagList),
  template: Formats.flag,
  timezone: Values.of(Values.containerTimezone),
  tty: Formats.integer(0, 6),
  unprivileged: Formats.flag,
  ...numbered("net", 32, Values.of(propertyString(cardProperties))),
  ...numbered("mp", 256, Values.of(propertyString(mountProperties, "volume"))),
  ...numbered(
    "unused",
    256,
    Values.of(propertyString({ volume: { type: "string", format: Values.volumeId } }, "volume"))
  ),
  ...numbered("dev", 256, Values.of(propertyString(deviceProperties, "path")))
}

/** Changed without touching the running guest (platform-facts 5.9). */
const atOnce = new Set([
  "description",
  "onboot",
  "startup",
  "protection",
  "hostname",
  "hookscript",
  "cores",
  "tags",
  "lock"
])

/** Whether a new value of the key takes effect on a running container; otherwise it waits for the next start. */
export const setsLive = (key: string): boolean =>
  atOnce.has(key) || ["memory", "swap", "cpulimit", "cpuunits"].includes(key) || /^(?:net|mp|dev)\d+$/.test(key)

/** The same for removing the key; `net10` and above wait, since only one digit is looked at. */
export const deletesLive = (key: string): boolean =>
  atOnce.has(key) || ["swap", "cpulimit", "cpuunits"].includes(key) || /^(?:net\d|unused\d+)$/.test(key)
