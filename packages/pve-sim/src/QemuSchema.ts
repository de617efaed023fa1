import * as Formats from "./Formats.ts"
import type { Property, Schema } from "./ParameterSchema.ts"
import { propertyString } from "./PropertyFormat.ts"
import * as Values from "./ValueFormats.ts"

const each = (names: string, property: Property): Schema =>
  Object.fromEntries(names.split(" ").map((name) => [name, property]))

const numbered = (counts: { readonly [prefix: string]: number }, property: Property = Formats.text()): Schema =>
  Object.fromEntries(
    Object.entries(counts).flatMap(([prefix, count]) =>
      Array.from({ length: count }, (_, at) => [`${prefix}${at}`, property] as const)
    )
  )

const patterned = (pattern: RegExp, maxLength?: number): Property => ({
  type: "string",
  optional: true,
  pattern,
  ...(maxLength === undefined ? {} : { maxLength })
})

const models =
  "e1000 e1000-82540em e1000-82544gc e1000-82545em e1000e i82551 i82557b i82559er ne2k_isa ne2k_pci pcnet rtl8139 virtio vmxnet3"
    .split(" ")

/** The parts of a machine's `netN`: the model stands for the key of the address, too. */
export const machineCard: Schema = {
  model: { type: "string", enum: models },
  macaddr: Values.of(Values.hwaddr),
  ...Object.fromEntries(models.map((model) => [model, Values.of(Values.hwaddr)])),
  bridge: patterned(/^[-_.\p{L}\p{N}]+$/u),
  queues: Formats.integer(0, 64),
  rate: { type: "number", optional: true, minimum: 0 },
  tag: Formats.integer(1, 4094),
  trunks: patterned(/^\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*$/),
  firewall: Formats.flag,
  link_down: Formats.flag,
  mtu: Formats.integer(1, 65_520),
  "host-tunnel": Formats.flag
}

/** The key of a machine's drive. */
export const isDrive = (key: string): boolean => /^(?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+$/.test(key)

const drives = { ide: 4, sata: 6, scsi: 31, virtio: 16, efidisk: 1, tpmstate: 1 }

const agent = propertyString(
  {
    enabled: { type: "boolean" },
    ...each("freeze-fs freeze-fs-on-backup fstrim_cloned_disks guest-fsfreeze", Formats.flag),
    type: Formats.choice("virtio", "isa")
  },
  "enabled"
)

const bootOrder: Property = {
  type: "string",
  optional: true,
  format: {
    ...Values.matching(
      /^(?:(?:ide|sata|scsi|virtio|net|usb|hostpci)\d+|;)*$/,
      (value) => `invalid boot device '${value}'`
    )
  }
}

const boot = propertyString({ legacy: patterned(/^[acdn]{1,4}$/), order: bootOrder }, "legacy")

const memory = propertyString({ current: { type: "integer", minimum: 16 } }, "current")

/** The keys of a virtual machine's configuration that the API knows. What stands inside of the rarer ones is not looked at. */
export const qemuConfigSchema: Schema = {
  ...each(
    "acpi allow-ksm autostart ciupgrade freeze keephugepages kvm localtime numa onboot protection reboot tablet tdf template",
    Formats.flag
  ),
  ...each(
    "affinity amd-sev args audio0 cdrom cicustom cipassword ciuser cpu hotplug intel-tdx ivshmem machine rng0 " +
      "searchdomain spice_enhancements sshkeys vga watchdog",
    Formats.text()
  ),
  ...each("cores sockets smp vcpus", Formats.integer(1)),
  agent: Values.of(agent),
  arch: Formats.choice("x86_64", "aarch64"),
  balloon: Formats.integer(0),
  bios: Formats.choice("seabios", "ovmf"),
  boot: Values.of(boot),
  bootdisk: patterned(/^(?:ide|sata|scsi|virtio)\d+$/),
  citype: Formats.choice("configdrive2", "nocloud", "opennebula"),
  cpulimit: { type: "number", optional: true, minimum: 0, maximum: 128 },
  cpuunits: Formats.integer(1, 262_144),
  description: Formats.text(8192),
  hookscript: Values.of(Values.volumeId),
  hugepages: Formats.choice("any", "2", "1024"),
  keyboard: Formats.choice(
    ..."de de-ch da en-gb en-us es fi fr fr-be fr-ca fr-ch hu is it ja lt mk nl no pl pt pt-br sv sl tr".split(" ")
  ),
  lock: Formats.choice(
    ..."backup clone create migrate rollback snapshot snapshot-delete suspending suspended".split(" ")
  ),
  memory: Values.of(memory),
  migrate_downtime: { type: "number", optional: true, minimum: 0 },
  migrate_speed: Formats.integer(0),
  name: Values.of(Values.dnsName),
  nameserver: Formats.text(),
  ostype: Formats.choice(
    ..."other wxp w2k w2k3 w2k8 wvista win7 win8 win10 win11 l24 l26 solaris".split(" ")
  ),
  scsihw: Formats.choice(..."lsi lsi53c810 virtio-scsi-pci virtio-scsi-single megasas pvscsi".split(" ")),
  shares: Formats.integer(0, 50_000),
  smbios1: Formats.text(512),
  startdate: patterned(/^(?:now|\d{4}-\d{1,2}-\d{1,2}(?:T\d{1,2}:\d{1,2}:\d{1,2})?)$/),
  startup: Values.of(Values.startupOrder),
  tags: Values.of(Formats.tagList),
  vmgenid: patterned(/^(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])$/),
  vmstatestorage: Formats.optional(Formats.storage),
  ...numbered(drives),
  ...numbered({ numa: 8, usb: 14, hostpci: 16, ipconfig: 32, unused: 256, virtiofs: 10 }),
  ...numbered({ serial: 4 }, patterned(/^(?:\/dev\/[^,]+|socket)$/)),
  ...numbered({ parallel: 3 }, patterned(/^(?:\/dev\/parport\d+|\/dev\/usb\/lp\d+)$/)),
  ...numbered(
    { net: 32 },
    Values.of({ check: (text, path) => propertyString(machineCard, "model").check(withModel(text), path) })
  )
}

/** `virtio=AA:…` says model and address in one; taken apart here. */
export const withModel = (text: string): string =>
  text
    .split(",")
    .flatMap((part) => {
      const [, name = "", value = ""] = /^([^=]+)=(.+)$/.exec(part) ?? []
      return models.includes(name) ? [`model=${name}`, `macaddr=${value}`] : [part]
    })
    .join(",")

const groups: ReadonlyArray<readonly [privilege: string, keys: string]> = [
  ["CPU", "cores cpu cpulimit cpuunits numa smp sockets vcpus"],
  ["Memory", "memory balloon shares allow-ksm"],
  ["HWType", "acpi hotplug kvm machine scsihw smbios1 tablet vga watchdog audio0 rng0"],
  [
    "Options",
    "agent autostart bios description keyboard localtime migrate_downtime migrate_speed name onboot ostype protection reboot " +
    "startdate startup tdf template tags"
  ],
  ["Disk", "boot bootdisk vmstatestorage"]
]

/** The privilege that a key takes, before anything of its value is looked at; undefined: only root may set it. */
export const qemuKeyPrivileges = (key: string): ReadonlyArray<string> | undefined => {
  if (isDrive(key) || /^(?:cdrom|(?:unused|serial|usb|hostpci|virtiofs)\d+)$/.test(key)) return []
  const group = groups.find(([, keys]) => keys.split(" ").includes(key))?.[0] ??
    (/^numa\d+$/.test(key) ? "CPU" : /^net\d+$/.test(key) ? "Network" : undefined)
  if (group !== undefined) return [`VM.Config.${group}`]
  if (key === "freeze") return ["VM.PowerMgmt"]
  return /^(?:cicustom|cipassword|citype|ciuser|ciupgrade|nameserver|searchdomain|sshkeys|ipconfig\d+)$/.test(key)
    ? ["VM.Config.Cloudinit", "VM.Config.Network"]
    : undefined
}
