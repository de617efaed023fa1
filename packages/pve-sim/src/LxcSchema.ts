import * as Formats from "./Formats.ts"
import type { Property, Schema } from "./ParameterSchema.ts"

const numbered = (prefix: string, count: number, property: Property): Schema =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, property]))

const net = Formats.propertyString({
  name: { type: "string", pattern: /^[-_.\w\d]+$/ },
  bridge: { type: "string", optional: true, pattern: /^[-_.\w\d]+$/ },
  hwaddr: { type: "string", optional: true, pattern: /^[a-f0-9][02468ace](?::[a-f0-9]{2}){5}$/i },
  ip: Formats.text(),
  gw: Formats.text(),
  ip6: Formats.text(),
  gw6: Formats.text(),
  tag: Formats.integer(1, 4094),
  trunks: Formats.text(),
  mtu: Formats.integer(64, 65535),
  rate: { type: "number", optional: true },
  firewall: Formats.flag,
  link_down: Formats.flag,
  "host-managed": Formats.flag,
  type: Formats.choice("veth")
})

const volumeProperties: Schema = {
  volume: { type: "string" },
  size: { type: "string", optional: true, pattern: /^\d+(?:\.\d+)?[KMGT]?$/ },
  acl: Formats.flag,
  ro: Formats.flag,
  quota: Formats.flag,
  replicate: Formats.flag,
  shared: Formats.flag,
  mountoptions: Formats.text(),
  idmap: Formats.text(),
  keepattrs: Formats.flag
}

const featureFlags = Object.fromEntries(
  ["nesting", "keyctl", "fuse", "mknod", "force_rw_sys"].map((name) => [name, Formats.flag])
)

const string = (format: Property["format"]): Property =>
  format === undefined ? Formats.text() : { type: "string", optional: true, format }

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
  entrypoint: Formats.text(),
  env: Formats.text(),
  features: string(Formats.propertyString({ ...featureFlags, mount: Formats.text() })),
  hookscript: Formats.text(),
  hostname: { type: "string", optional: true, format: Formats.dnsName, maxLength: 255 },
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
  nameserver: Formats.text(),
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
  rootfs: string(Formats.propertyString(volumeProperties, "volume")),
  searchdomain: Formats.text(),
  startup: Formats.text(),
  swap: Formats.integer(0),
  tags: string(Formats.tagList),
  template: Formats.flag,
  timezone: Formats.text(),
  tty: Formats.integer(0, 6),
  unprivileged: Formats.flag,
  ...numbered("net", 32, { type: "string", optional: true, format: net }),
  ...numbered("mp", 256, {
    type: "string",
    optional: true,
    format: Formats.propertyString({ ...volumeProperties, mp: { type: "string" }, backup: Formats.flag }, "volume")
  }),
  ...numbered("unused", 256, Formats.text()),
  ...numbered("dev", 256, Formats.text())
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
