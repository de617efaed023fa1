import { describe, it } from "@effect/vitest"
import type { Guest } from "@felhom/domain/Guest"
import { StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { type Section, sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import type { Storage } from "@felhom/domain/Storage"
import { EpochMillis } from "@felhom/domain/Time"
import type { Observation, ProxmoxCondition } from "@felhom/reconciler/Observation"
import { advance, nothingKnown } from "@felhom/reconciler/Transitions"
import { expect } from "vitest"

const at = EpochMillis.make(0)
const unread = sectionUnavailable("not in this test")

const guest = (vmid: number, status: Guest["status"], name = "tiny"): Guest => ({
  type: "lxc",
  vmid: Vmid.make(vmid),
  name,
  status,
  template: false,
  lock: null,
  tags: [],
  cpus: null,
  memory: null,
  disk: null,
  config: unread,
  snapshots: unread
})

const storage = (active: boolean): Storage => ({
  storage: StorageId.make("nas"),
  type: "nfs",
  content: ["backup"],
  shared: true,
  enabled: true,
  active
})

const look = (parts: {
  readonly proxmox?: ProxmoxCondition
  readonly guests?: Section<ReadonlyArray<Guest>>
  readonly storages?: Section<ReadonlyArray<Storage>>
}): Observation => ({
  takenAt: at,
  proxmox: parts.proxmox ?? { state: "ok" },
  pveVersion: null,
  kernel: null,
  inventory: {
    guests: parts.guests ?? unread,
    storages: parts.storages ?? unread,
    disks: unread,
    policyHash: null,
    desired: null,
    hold: false
  },
  samples: { node: unread, guests: unread, temperatures: unread },
  sections: { storage: unread, backup: unread, restore: unread, pbs: unread, audit: unread }
})

/** The kinds of events of a series of looks, and what each says. */
const told = (...looks: ReadonlyArray<Observation>): ReadonlyArray<string> => {
  let known = nothingKnown
  return looks.flatMap((observation) => {
    const step = advance(known, observation)
    known = step.known
    return step.events.map((event) => `${event.kind}: ${event.message}`)
  })
}

const guests = (...rows: ReadonlyArray<Guest>) => look({ guests: sectionOk(at, rows) })

describe("what happened between two looks", () => {
  it("is nothing at the first one", () => {
    expect(told(guests(guest(101, "running")))).toEqual([])
  })

  it("is a guest that came, went, or changed its state", () => {
    expect(told(guests(guest(101, "running")), guests(guest(101, "stopped"), guest(102, "stopped", "web")), guests()))
      .toEqual([
        "guest.changed: lxc/101 (tiny) went from running to stopped",
        "guest.appeared: lxc/102 (web) is new here",
        "guest.disappeared: lxc/101 (tiny) is gone",
        "guest.disappeared: lxc/102 (web) is gone"
      ])
  })

  it("is nothing when guests could not be read, and what changed meanwhile is told afterwards", () => {
    expect(told(guests(guest(101, "running")), look({}), guests(guest(101, "stopped")))).toEqual([
      "guest.changed: lxc/101 (tiny) went from running to stopped"
    ])
  })

  it("is nothing while Proxmox itself does not know a guest's state", () => {
    expect(told(guests(guest(101, "running")), guests(guest(101, "unknown")), guests(guest(101, "running")))).toEqual(
      []
    )
  })

  it("is Proxmox going away and coming back, once each, also when it was away from the start", () => {
    const away = look({ proxmox: { state: "unreachable", reason: "connection refused" } })
    const refused = look({ proxmox: { state: "refused", reason: "another certificate" } })
    expect(told(away, away, look({}), refused, refused, away, look({}), look({}))).toEqual([
      "proxmox.unreachable: connection refused",
      "proxmox.recovered: Proxmox VE answers again",
      "proxmox.refused: another certificate",
      "proxmox.unreachable: connection refused",
      "proxmox.recovered: Proxmox VE answers again"
    ])
  })

  it("is a storage that can't be reached any more", () => {
    const storages = (active: boolean) => look({ storages: sectionOk(at, [storage(active)]) })
    expect(told(storages(true), storages(false), storages(false), storages(true))).toEqual([
      "storage.offline: storage nas can't be reached, or is not mounted",
      "storage.online: storage nas is back"
    ])
  })

  it("shows a guest's name without letting it command the terminal", () => {
    expect(told(guests(), guests(guest(101, "running", "a\u001b[2Jb")))).toEqual([
      "guest.appeared: lxc/101 (a\\u001b[2Jb) is new here"
    ])
  })
})
