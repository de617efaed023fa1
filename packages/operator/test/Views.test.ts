import { describe, it } from "@effect/vitest"
import { HostDetail } from "@felhom/domain/HubApi"
import { cutToWidth, displayWidth } from "@felhom/operator/DisplayWidth"
import { attentionSentence, renderHosts } from "@felhom/operator/HostsView"
import { renderHost } from "@felhom/operator/HostView"
import { bar, renderTable, toned } from "@felhom/operator/Table"
import { Schema } from "effect"
import { expect } from "vitest"
import { detail, event, guest, named, now, summary, wireDetail } from "./HostBuilder.ts"

describe("a terminal's columns", () => {
  it.each([
    ["attic", 5],
    ["日本", 4],
    ["ｱｲ", 2],
    ["ﾊﾟ", 2],
    ["e\u0301", 1],
    ["🦊", 2],
    ["👩‍👩‍👧", 2],
    ["🇭🇺", 2],
    ["❤️", 2],
    ["한국", 4],
    ["\u1112\u1161\u11ab", 2],
    ["│█", 2]
  ])("%s takes %d", (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  it("are cut between characters, never through one", () => {
    expect(cutToWidth("日本語", 4)).toBe("日…")
    expect(cutToWidth("attic", 5)).toBe("attic")
  })
})

describe("a table", () => {
  it("is aligned by what a terminal shows", () => {
    expect(renderTable([{ title: "N", align: "right" }, { title: "NAME" }, { title: "END" }], [
      ["1", "🦊", "|"],
      ["22", "日本", "|"],
      ["3", "abc", "|"]
    ], false)).toEqual([
      " N  NAME  END",
      " 1  🦊    |",
      "22  日本  |",
      " 3  abc   |"
    ])
  })

  it("keeps its columns when it is coloured", () => {
    expect(renderTable([{ title: "A" }, { title: "B" }], [[toned("bad", "x"), "y"]], true)).toEqual([
      "\u001b[2mA\u001b[0m  \u001b[2mB\u001b[0m",
      "\u001b[31mx\u001b[0m  y"
    ])
  })

  it("shows what is hostile instead of obeying it", () => {
    expect(renderTable([{ title: "NAME" }, { title: "X" }], [
      ["<script>", "1"],
      ["\u001b[2J\u0007", "2"],
      ["\u202eevil", "3"],
      ["two\nlines", "4"]
    ], false)).toEqual([
      "NAME             X",
      "<script>         1",
      "\\u001b[2J\\u0007  2",
      "\\u202eevil       3",
      "two\\nlines       4"
    ])
  })
})

it("draws a bar that is full only when it is", () => {
  expect([0, 0.25, 1, 7].map(bar)).toEqual(["░░░░░░░░░░", "███░░░░░░░", "██████████", "██████████"])
})

it("lists hosts as the hub sorted them", () => {
  expect(
    renderHosts(
      {
        hosts: [
          summary({
            host: named("barn", "ffff0000"),
            presence: "silent",
            lastSeen: now - 720_000,
            guests: null,
            storages: null,
            eventsMissing: 3,
            attention: ["silent for 12 min", "3 events were lost"]
          }),
          summary({ host: named("cellar", "cccc0000"), acknowledged: ["storage nas is offline (acknowledged by me)"] }),
          summary()
        ],
        expected: [],
        waiting: [],
        channels: []
      },
      now,
      false
    )
  ).toEqual([
    "HOST    ID        STATE         SEEN                GUESTS  STORAGES       EVENTS",
    "barn    ffff0000  ATTENTION     silent, 12 min ago       ?         ?  41 (3 lost)",
    "cellar  cccc0000  acknowledged  online, 12 s ago       3/5       2/2           41",
    "attic   0a1b2c3d  ok            online, 12 s ago       3/5       2/2           41",
    "",
    "Needs attention",
    "barn (ffff0000): silent for 12 min; 3 events were lost",
    "",
    "Acknowledged",
    "cellar (cccc0000): storage nas is offline (acknowledged by me)"
  ])
})

it("says how many hosts need attention", () => {
  expect(attentionSentence([summary()])).toBeUndefined()
  expect(attentionSentence([summary({ attention: ["x"] })])).toBe("1 of 1 host needs attention")
  expect(attentionSentence([summary({ attention: ["x"] }), summary({ attention: ["y"] }), summary()])).toBe(
    "2 of 3 hosts need attention"
  )
})

it("shows one host with all that it said", () => {
  const guests = [
    guest(101, { name: "<script>", lock: "backup", tags: ["web", "\u001b[31m"] }),
    guest(102, {
      type: "qemu",
      name: "🦊 \u202efox",
      status: "stopped",
      config: { state: "unavailable", reason: "403" }
    })
  ]
  expect(renderHost(detail(guests), [event], now, false)).toEqual([
    `attic  0a1b2c3d${"0".repeat(24)}  online, 12 s ago`,
    "agent 0.1.0, Proxmox VE 9.2.11, kernel 6.17.2-1-pve, report 12",
    "up 3 d, cpu 12 %, load 0.50 0.25 0.13, memory 8.0 GiB of 16.0 GiB, root 10.0 GiB of 100.0 GiB",
    "! storage nas is offline",
    "! \\u001b[2J",
    "",
    "Guests",
    "VMID  TYPE  NAME          STATUS   CPUS   MEMORY     DISK  LOCK    TAGS             SNAPSHOTS  CONFIG READ",
    " 101  lxc   <script>      running     2  1.0 GiB  8.0 GiB  backup  web, \\u001b[31m          0  2 min ago",
    " 102  qemu  🦊 \\u202efox  stopped     2  1.0 GiB  8.0 GiB  -       -                        0  could not be read",
    "",
    "Storages",
    "STORAGE  TYPE  STATE        USED         OF                   CONTENT",
    "local    dir   active   25.0 GiB  100.0 GiB  ███░░░░░░░ 25 %  backup, iso",
    "nas      nfs   offline         ?          ?  ?                backup",
    "",
    "Disks",
    "DISK      TYPE        SIZE  MODEL  HEALTH  LIFE LEFT  USED FOR",
    "/dev/sda  ssd   1024.0 GiB  ACME   PASSED       95 %  LVM",
    "",
    "Not readable",
    "WHAT             WHY",
    "restore          no drill is set up",
    "audit            there is no audit chain yet",
    "qemu/102 config  403",
    "",
    "Last events",
    " #  WHEN       SEVERITY  KIND             SUBJECT  MESSAGE",
    "41  3 min ago  warning   storage.offline  nas      nas does not answer"
  ])
})

it("shows how a host judges itself, and its sets of disks", () => {
  const ok = <A>(value: A) => ({ state: "ok", readAt: now, value }) as const
  const wire = wireDetail([])
  const lines = renderHost(
    Schema.decodeUnknownSync(HostDetail)({
      ...wire,
      sections: {
        ...wire.sections,
        health: ok({
          lookedAt: now,
          omitted: 2,
          lines: [
            {
              kind: "disk",
              name: "/dev/sdb",
              id: "WD1",
              state: "fail",
              since: now - 7_200_000,
              reasons: ["it has 9 reallocated sectors", "storage usb on it: it can't be used"],
              storages: ["usb"]
            },
            { kind: "storage", name: "local", id: "local", state: "ok", since: now, reasons: [], storages: [] }
          ]
        }),
        hostStorage: ok({
          sets: [{
            name: "backup",
            storage: "usb",
            state: "missing",
            why: "no disk of it is plugged in",
            members: [
              { name: "blue", state: "due-back", mountedAt: now - 20 * 86_400_000, why: "blue is due back" },
              { name: "red", state: "away", mountedAt: null, why: null }
            ]
          }],
          network: [{ storage: "nas", type: "nfs", state: "ready", why: null }]
        })
      }
    }),
    [],
    now,
    false
  )
  const from = (title: string) => lines.slice(lines.indexOf(title), lines.indexOf(title) + 5)
  expect(from("Health")).toEqual([
    "Health",
    "WHAT                 STATE  SINCE  STORAGES  WHY",
    "disk /dev/sdb (WD1)  fail     2 h  usb       it has 9 reallocated sectors; storage usb on it: it can't be used",
    "storage local        ok       0 s  -         -",
    "2 more               -          -  -         -"
  ])
  expect(from("Sets of disks").slice(0, 3)).toEqual([
    "Sets of disks",
    "SET     STORAGE  STATE    DISKS                           WHY",
    "backup  usb      missing  blue due back (20 d), red away  no disk of it is plugged in; blue is due back"
  ])
  expect(from("Network storages").slice(0, 3)).toEqual([
    "Network storages",
    "STORAGE  TYPE  STATE  WHY",
    "nas      nfs   ready  -"
  ])
})
