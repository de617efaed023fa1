import { HostEvent } from "@felhom/domain/HostEvent"
import { HostDetail, HostSummary } from "@felhom/domain/HubApi"
import { Schema } from "effect"

/** The moment at which everything here is looked at. */
export const now = 1_790_000_600_000

const ok = <A>(value: A) => ({ state: "ok", readAt: now - 120_000, value }) as const
export const unavailable = (reason: string) => ({ state: "unavailable", reason }) as const

export const hostId = "0a1b2c3d".padEnd(32, "0")

export const wireSummary = (more: { readonly [key: string]: unknown } = {}) => ({
  host: {
    id: hostId,
    epoch: "1".repeat(32),
    bootId: null,
    node: "attic",
    agentVersion: "0.1.0",
    pveVersion: "9.2.11",
    kernel: "6.17.2-1-pve"
  },
  sequence: 12,
  firstSeen: now - 86_400_000,
  lastSeen: now - 12_000,
  takenAt: now - 12_000,
  presence: "online",
  lastSelftest: null,
  guests: { total: 5, running: 3 },
  storages: { total: 2, active: 2 },
  events: 41,
  eventsMissing: 0,
  attention: [],
  ...more
})

export const named = (node: string, id: string) => ({ ...wireSummary().host, node, id: id.padEnd(32, "0") })

export const summary = (more: { readonly [key: string]: unknown } = {}): HostSummary =>
  Schema.decodeUnknownSync(HostSummary)(wireSummary(more))

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

export const wireDetail = (guests: ReadonlyArray<object>) => ({
  summary: wireSummary({ attention: ["storage nas is offline", "\u001b[2J"] }),
  inventory: {
    guests: ok(guests),
    storages: ok([
      { storage: "local", type: "dir", content: ["backup", "iso"], shared: false, enabled: true, active: true },
      { storage: "nas", type: "nfs", content: ["backup"], shared: true, enabled: true, active: false }
    ]),
    disks: ok([{
      devicePath: "/dev/sda",
      type: "ssd",
      size: 1024 ** 4,
      model: "ACME",
      serial: "1",
      health: "PASSED",
      wearout: 95,
      usedFor: "LVM"
    }]),
    policyHash: null,
    desired: null,
    hold: false
  },
  samples: {
    node: ok({
      uptimeSeconds: 3 * 86_400,
      cpu: 0.125,
      load: [0.5, 0.25, 0.125],
      memoryTotal: 16 * 1024 ** 3,
      memoryUsed: 8 * 1024 ** 3,
      rootTotal: 100 * 1024 ** 3,
      rootUsed: 10 * 1024 ** 3
    }),
    guests: ok([]),
    temperatures: ok([])
  },
  sections: {
    storage: ok([{ storage: "local", total: 100 * 1024 ** 3, used: 25 * 1024 ** 3, available: 75 * 1024 ** 3 }]),
    backup: ok([]),
    restore: unavailable("no drill is set up"),
    pbs: ok([]),
    audit: unavailable("there is no audit chain yet")
  }
})

export const detail = (guests: ReadonlyArray<object>): HostDetail =>
  Schema.decodeUnknownSync(HostDetail)(wireDetail(guests))

export const wireEvent = {
  seq: 41,
  at: now - 180_000,
  kind: "storage.offline",
  severity: "warning",
  subject: "nas",
  message: "nas does not answer"
}

export const event: HostEvent = Schema.decodeUnknownSync(HostEvent)(wireEvent)
