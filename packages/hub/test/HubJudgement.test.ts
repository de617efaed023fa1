import { describe, it } from "@effect/vitest"
import { concernsOf, proxmoxTrouble, stateTrouble } from "@felhom/hub/Attention"
import { acknowledge, emptyLedger, missingEvents, withDropped } from "@felhom/hub/EventLedger"
import { inventoryFacts, reportFacts } from "@felhom/hub/HostFacts"
import { presenceOf } from "@felhom/hub/Presence"
import { expect } from "vitest"
import {
  disk,
  disks,
  guest,
  guests,
  hostEvent,
  report,
  samples,
  sections,
  storage,
  storages,
  unavailable,
  usage,
  wireReport
} from "./ReportBuilder.ts"

const attention = (
  more: { readonly [key: string]: unknown } = {},
  events: Array<ReturnType<typeof hostEvent>> = [],
  clockAhead = 0
) => {
  const { inventory, samples, sections } = report(more)
  return concernsOf({
    presence: "online",
    silence: 0,
    sequence: 1,
    inventory: inventory === null ? null : inventoryFacts(inventory),
    report: reportFacts(samples, sections),
    proxmoxTrouble: proxmoxTrouble(null, events),
    stateTrouble: stateTrouble(null, events),
    clockAhead,
    successor: null,
    retiredAndReports: false,
    eventsLost: 0,
    critical: [],
    staleRun: 0,
    staleSequence: null
  }).map(({ sentence }) => sentence)
}

const health = (...lines: ReadonlyArray<object>) => ({
  sections: {
    ...sections(),
    health: {
      state: "ok",
      readAt: 0,
      value: {
        lookedAt: 0,
        omitted: 0,
        lines: lines.map((line) => ({
          kind: "disk",
          id: "S1",
          name: "/dev/sda",
          state: "fail",
          since: 0,
          reasons: ["it says that it is failing"],
          storages: [],
          ...line
        }))
      }
    }
  }
})

describe("attention", () => {
  it("is asked for by what a host judges itself, and once for one cause", () => {
    expect(attention(health({ state: "unknown" }, { state: "ok" }))).toEqual([])
    expect(attention({
      ...health({ storages: ["nas"] }),
      inventory: {
        ...disks(disk({ health: "FAILED!", wearout: 4 })),
        storages: storages(storage("nas", { active: false })).storages
      }
    })).toEqual(["disk /dev/sda (S1): it says that it is failing"])
    expect(attention({
      ...health(
        {
          kind: "storage",
          id: "nas",
          name: "nas",
          state: "warn",
          reasons: ["it is 96 % full", "full in about 3 days"]
        },
        { kind: "disk-set", id: "backup", name: "backup", reasons: ["no disk of it is plugged in"] }
      )
    })).toEqual([
      "storage nas: it is 96 % full; full in about 3 days",
      "set of disks backup: no disk of it is plugged in"
    ])
  })

  it("is not asked for by a healthy host", () => {
    expect(attention()).toEqual([])
  })

  it.each([
    ["a storage that is away", { inventory: storages(storage("nas", { active: false })) }, "storage nas is offline"],
    ["a disk that says so", { inventory: disks(disk({ health: "FAILED!" })) }, "disk /dev/sda reports FAILED!"],
    ["a worn disk", { inventory: disks(disk({ wearout: 4 })) }, "disk /dev/sda has 4 % of its life left"],
    [
      "guests that hide",
      {
        inventory: guests(guest(101, { config: unavailable("403") }), guest(102, { snapshots: unavailable("locked") }))
      },
      "2 guests could not be read: lxc/101 (403), lxc/102 (locked)"
    ],
    [
      "a full storage",
      { sections: sections({ storage: { state: "ok", readAt: 1, value: [usage("local", 100, 97)] } }) },
      "storage local is 97 % full"
    ],
    [
      "a Proxmox that is away, once",
      {
        inventory: {
          ...wireReport().inventory,
          guests: unavailable("connection refused"),
          storages: unavailable("connection refused")
        },
        samples: samples({ node: unavailable("connection refused") })
      },
      "guests, storages and the node's load could not be read: connection refused"
    ]
  ])("is asked for by %s", (_, more, sentence) => {
    expect(attention(more)).toEqual([sentence])
  })

  it("is not asked for by a storage that somebody disabled", () => {
    expect(attention({ inventory: storages(storage("old", { enabled: false, active: false })) })).toEqual([])
  })

  it("tells that Proxmox refuses until it recovered", () => {
    const refused = hostEvent(1, { kind: "proxmox.refused", message: "401 no such token" })
    const recovered = hostEvent(2, { kind: "proxmox.recovered", message: "fine" })
    expect(attention({}, [refused])).toEqual(["Proxmox refused: 401 no such token"])
    expect(attention({}, [refused, recovered])).toEqual([])
  })

  it("does not repeat, of what Proxmox hides, what was said of Proxmox", () => {
    const refused = hostEvent(1, { kind: "proxmox.refused", message: "127.0.0.1:8006 shows another certificate" })
    const hidden = unavailable("127.0.0.1:8006 shows another certificate")
    expect(attention({ samples: samples({ node: hidden, guests: hidden }) }, [refused])).toEqual([
      "Proxmox refused: 127.0.0.1:8006 shows another certificate",
      "the node's load and the guests' load can't be read meanwhile"
    ])
  })
})

describe("a host that can't keep its state", () => {
  it("needs attention until it can again", () => {
    const unwritable = hostEvent(1, { kind: "state.unwritable", severity: "critical", message: "its disk is full" })
    const recovered = hostEvent(2, { kind: "state.recovered", message: "fine" })
    expect(attention({}, [unwritable])).toEqual(["its disk is full"])
    expect(attention({}, [unwritable, recovered])).toEqual([])
  })
})

describe("a host's clock", () => {
  const day = 86_400_000
  it.each([
    [-day, ["its clock is 1 day behind"]],
    [day, ["its clock is 1 day ahead"]],
    [-3 * 3_600_000, ["its clock is 3 hours behind"]],
    [121_000, ["its clock is 2 minutes ahead"]],
    [-119_000, []]
  ])("that is off by %d ms", (ahead, sentences) => {
    expect(attention({}, [], ahead)).toEqual(sentences)
  })
})

describe("presence", () => {
  it.each([
    [30, 40, "online"],
    [30, 46, "late"],
    [30, 91, "silent"],
    // An agent waits 5 s at least, whatever it is asked.
    [1, 7, "online"],
    [1, 16, "silent"]
  ])("asked for every %d s, a host last seen %d s ago is %s", (interval, ago, presence) => {
    expect(presenceOf(0, interval, ago * 1000)).toBe(presence)
  })
})

describe("the ledger of events", () => {
  it("never passes a gap larger than what the agent admits", () => {
    const ledger = acknowledge(withDropped(emptyLedger, 1), [1, 3, 6], [1, 3, 6])
    expect(ledger).toMatchObject({ acked: 3, skipped: 1 })
    expect(missingEvents(ledger)).toBe(3)
  })

  it("remembers what was dropped before the agent's last start", () => {
    const before = acknowledge(withDropped(emptyLedger, 2), [3], [3])
    const after = acknowledge(withDropped(before, 1), [5], [5])
    expect(after).toMatchObject({ acked: 5, skipped: 3 })
  })

  it("takes back a loss when the event arrives after all", () => {
    const lossy = acknowledge(withDropped(emptyLedger, 1), [2], [2])
    const healed = acknowledge(lossy, [], [1])
    expect(missingEvents(healed)).toBe(0)
    expect(healed).toMatchObject({ acked: 2, skipped: 0, max: 2 })
  })
})
