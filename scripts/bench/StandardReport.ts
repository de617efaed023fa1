import type { HostReport } from "@felhom/domain/HostReport"

/** What a steady host's samples are made from, the same in each run. */
const wave = (step: number, of: number): number => 0.5 + 0.5 * Math.sin(step / of)

const ok = <A>(readAt: number, value: A) => ({ state: "ok", readAt, value }) as const
const missing = (reason: string) => ({ state: "unavailable", reason }) as const

const hex = (seed: number, length: number): string =>
  Array.from({ length }, (_, index) => ((seed * 31 + index * 7 + seed * index) % 16).toString(16)).join("")

const gib = 1024 ** 3
const guestCount = 20

const guest = (index: number, readAt: number) => ({
  type: index % 4 === 0 ? "qemu" : "lxc",
  vmid: 100 + index,
  name: `guest-${index}`,
  status: index % 5 === 4 ? "stopped" : "running",
  template: false,
  lock: null,
  tags: index % 3 === 0 ? ["prod"] : [],
  cpus: 2,
  memory: 2 * gib,
  disk: 16 * gib,
  config: ok(readAt, {
    identity: {
      hwaddrs: [`BC:24:11:0A:${hex(index, 2).toUpperCase()}:${hex(index + 1, 2).toUpperCase()}`],
      volumes: [`local-lvm:vm-${100 + index}-disk-0`],
      smbiosUuid: null,
      key: null
    },
    hash: hex(index + 3, 64),
    protection: false,
    onboot: true,
    description: null
  }),
  snapshots: ok(readAt, [])
})

const guestSample = (index: number, step: number) => ({
  type: index % 4 === 0 ? "qemu" : "lxc",
  vmid: 100 + index,
  uptimeSeconds: index % 5 === 4 ? null : 86_400 + step * 30 + index,
  cpu: index % 5 === 4 ? null : 0.02 * wave(step + index, 40),
  memoryUsed: index % 5 === 4 ? null : Math.round(gib * (1 + wave(step + index, 200))),
  diskUsed: index % 4 === 0 ? null : Math.round(gib * (4 + index / 10)),
  netIn: step * 91_331 + index,
  netOut: step * 17_713 + index
})

const storages = ["local", "local-lvm", "nas"]

/**
 * The report of an ordinary host with twenty guests, as JSON: about 15 KB with its inventory. `step` counts its reports; with
 * each the samples move a little, and nothing else.
 */
export const standardReport = (id: string, step: number, takenAt: number, withInventory: boolean): string => {
  const indexes = Array.from({ length: guestCount }, (_, index) => index)
  const report: { readonly [key in keyof HostReport]: unknown } = {
    typ: "felhom/report/v1",
    host: {
      id,
      epoch: id,
      bootId: "0b7c6a5e-6a37-4f64-9b0e-1f0c2d3e4f50",
      node: "attic",
      agentVersion: "0.2.0",
      pveVersion: "9.2.11",
      kernel: "6.17.2-1-pve"
    },
    sequence: step,
    takenAt,
    inventoryHash: hex(7, 64),
    inventory: withInventory
      ? {
        guests: ok(takenAt, indexes.map((index) => guest(index, takenAt))),
        storages: ok(
          takenAt,
          storages.map((storage) => ({
            storage,
            type: storage === "local-lvm" ? "lvmthin" : "dir",
            content: ["backup", "images", "rootdir"],
            shared: false,
            enabled: true,
            active: true
          }))
        ),
        disks: ok(takenAt, [{
          devicePath: "/dev/nvme0n1",
          type: "nvme",
          size: 1000 * gib,
          model: "ACME 990",
          serial: "S1",
          health: "PASSED",
          wearout: 97,
          usedFor: "LVM"
        }]),
        policyHash: null,
        desired: null,
        hold: false
      }
      : null,
    samples: {
      node: ok(takenAt, {
        uptimeSeconds: 86_400 + step * 30,
        cpu: 0.05 + 0.1 * wave(step, 60),
        load: [0.4 + wave(step, 30), 0.5, 0.6],
        memoryTotal: 64 * gib,
        memoryUsed: Math.round(gib * (30 + 4 * wave(step, 300))),
        rootTotal: 100 * gib,
        rootUsed: 20 * gib + step * 4096
      }),
      guests: ok(takenAt, indexes.map((index) => guestSample(index, step))),
      temperatures: ok(takenAt, [{ sensor: "cpu", celsius: 45 }])
    },
    events: [],
    eventsDropped: 0,
    sections: {
      storage: ok(
        takenAt,
        storages.map((storage) => ({
          storage,
          total: 1000 * gib,
          used: 300 * gib + step * 65_536,
          available: 700 * gib - step * 65_536
        }))
      ),
      backup: ok(takenAt, []),
      restore: missing("no drill is set up"),
      pbs: missing("no backup server is set up"),
      audit: missing("there is no audit chain yet")
    }
  }
  return JSON.stringify(report)
}
