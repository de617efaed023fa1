import { HostEvent } from "@felhom/domain/HostEvent"
import { HostReport } from "@felhom/domain/HostReport"
import { Schema } from "effect"

export const hostA = "a".repeat(32)
export const hostB = "b".repeat(32)
export const epochOne = "1".repeat(32)
export const epochTwo = "2".repeat(32)

/** Midday of some day, on the host's clock. */
export const takenAt = 1_790_000_000_000

const ok = <A>(value: A) => ({ state: "ok", readAt: takenAt, value }) as const
export const unavailable = (reason: string) => ({ state: "unavailable", reason }) as const

export const guest = (vmid: number, more: object = {}) => ({
  type: "lxc",
  vmid,
  name: `guest-${vmid}`,
  status: "running",
  template: false,
  lock: null,
  tags: [],
  cpus: 2,
  memory: 1024 ** 3,
  disk: 8 * 1024 ** 3,
  config: ok({
    identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key: null },
    hash: "c".repeat(64),
    protection: false,
    onboot: true,
    description: null
  }),
  snapshots: ok([]),
  ...more
})

export const storage = (name: string, more: object = {}) => ({
  storage: name,
  type: "dir",
  content: ["backup", "rootdir"],
  shared: false,
  enabled: true,
  active: true,
  ...more
})

export const disk = (more: object = {}) => ({
  devicePath: "/dev/sda",
  type: "ssd",
  size: 1024 ** 4,
  model: "ACME",
  serial: "1",
  health: "PASSED",
  wearout: 95,
  usedFor: "LVM",
  ...more
})

export const inventory = (more: object = {}) => ({
  guests: ok([guest(101), guest(102, { status: "stopped" })]),
  storages: ok([storage("local"), storage("nas")]),
  disks: ok([disk()]),
  policyHash: null,
  desired: null,
  hold: false,
  ...more
})

export const guests = (...list: ReadonlyArray<object>) => inventory({ guests: ok(list) })
export const storages = (...list: ReadonlyArray<object>) => inventory({ storages: ok(list) })
export const disks = (...list: ReadonlyArray<object>) => inventory({ disks: ok(list) })

export const event = (seq: number, more: object = {}) => ({
  seq,
  at: takenAt,
  kind: "guest.changed",
  severity: "info",
  subject: "lxc/101",
  message: `event ${seq}`,
  ...more
})

export const samples = (more: object = {}) => ({
  node: ok({
    uptimeSeconds: 86_400,
    cpu: 0.1,
    load: [0.1, 0.2, 0.3],
    memoryTotal: 16 * 1024 ** 3,
    memoryUsed: 8 * 1024 ** 3,
    rootTotal: 100 * 1024 ** 3,
    rootUsed: 10 * 1024 ** 3
  }),
  guests: ok([]),
  temperatures: unavailable("no sensor is set up"),
  ...more
})

export const usage = (name: string, total: number, used: number) => ({
  storage: name,
  total,
  used,
  available: total - used
})

export const sections = (more: object = {}) => ({
  storage: ok([usage("local", 100 * 1024 ** 3, 10 * 1024 ** 3)]),
  backup: ok([]),
  restore: unavailable("no drill is set up"),
  pbs: unavailable("no backup server is set up"),
  audit: unavailable("there is no audit chain yet"),
  ...more
})

/** A healthy host's first report, as it stands on the wire, with what is given instead. */
export const wireReport = (more: { readonly [key: string]: unknown } = {}) => ({
  typ: "felhom/report/v1",
  host: {
    id: hostA,
    epoch: epochOne,
    bootId: null,
    node: "pve",
    agentVersion: "0.1.0",
    pveVersion: "9.2.11",
    kernel: "6.17.2-1-pve"
  },
  sequence: 1,
  takenAt,
  inventoryHash: "d".repeat(64),
  inventory: inventory(),
  samples: samples(),
  events: [],
  eventsDropped: 0,
  sections: sections(),
  ...more
})

/** Who reports, when it is not the first host in its first epoch. */
export const from = (id: string, epoch: string = epochOne, node = "pve") => ({ ...wireReport().host, id, epoch, node })

export const report = (more: { readonly [key: string]: unknown } = {}): HostReport =>
  Schema.decodeUnknownSync(HostReport)(wireReport(more))

export const hostEvent = (seq: number, more: object = {}): HostEvent =>
  Schema.decodeUnknownSync(HostEvent)(event(seq, more))
