import type { Guest } from "@felhom/domain/Guest"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { DesiredStatus, NodeSample } from "@felhom/domain/HostReport"
import type { HostDetail } from "@felhom/domain/HubApi"
import { humanBytes, humanDuration, humanShare } from "@felhom/domain/HumanText"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { Section } from "@felhom/domain/Section"
import type { Disk, Storage, StorageUsage } from "@felhom/domain/Storage"
import { healthColumns, healthRows, networkColumns, networkRows, setColumns, setRows } from "./HostCareView.ts"
import { behindText, presenceText } from "./HostsView.ts"
import { bar, type Cell, type Column, paint, renderTable, toned } from "./Table.ts"

const unknown = toned("dim", "?")
const none = toned("dim", "-")

const bytes = (value: number | null): Cell => value === null ? unknown : humanBytes(value)

const list = (words: ReadonlyArray<string>): Cell => words.length === 0 ? none : words.join(", ")

const guestColumns: ReadonlyArray<Column> = [
  { title: "VMID", align: "right" },
  { title: "TYPE" },
  { title: "NAME", atMost: 32 },
  { title: "STATUS" },
  { title: "CPUS", align: "right" },
  { title: "MEMORY", align: "right" },
  { title: "DISK", align: "right" },
  { title: "LOCK", atMost: 16 },
  { title: "TAGS", atMost: 32 },
  { title: "SNAPSHOTS", align: "right" },
  { title: "CONFIG READ" }
]

const statusTones = { running: "good", stopped: "dim", unknown: "warning" } as const

const guestRow = (guest: Guest, now: number): ReadonlyArray<Cell> => {
  const readAt = guest.config.state === "ok" ? guest.config.readAt : null
  return [
    String(guest.vmid),
    guest.type,
    guest.name ?? none,
    guest.template ? toned("dim", "template") : toned(statusTones[guest.status], guest.status),
    guest.cpus === null ? unknown : String(guest.cpus),
    bytes(guest.memory),
    bytes(guest.disk),
    guest.lock === null ? none : toned("warning", guest.lock),
    list(guest.tags),
    guest.snapshots.state === "ok" ? String(guest.snapshots.value.length) : unknown,
    readAt === null ? toned("bad", "could not be read") : `${humanDuration(now - readAt)} ago`
  ]
}

const storageColumns: ReadonlyArray<Column> = [
  { title: "STORAGE", atMost: 32 },
  { title: "TYPE", atMost: 16 },
  { title: "STATE" },
  { title: "USED", align: "right" },
  { title: "OF", align: "right" },
  { title: "" },
  { title: "CONTENT", atMost: 60 }
]

const storageState = ({ active, enabled }: Storage): Cell =>
  enabled ? active ? toned("good", "active") : toned("bad", "offline") : toned("dim", "disabled")

/** From these shares on a storage is coloured. */
const filling = 0.8
const full = 0.95

const usageBar = (usage: StorageUsage | undefined): Cell => {
  if (usage === undefined || usage.total === null || usage.total <= 0 || usage.used === null) return unknown
  const share = usage.used / usage.total
  return toned(share >= full ? "bad" : share >= filling ? "warning" : "good", `${bar(share)} ${humanShare(share)}`)
}

const storageRow = (storage: Storage, usage: StorageUsage | undefined): ReadonlyArray<Cell> => [
  storage.storage,
  storage.type,
  storageState(storage),
  bytes(usage?.used ?? null),
  bytes(usage?.total ?? null),
  usageBar(usage),
  list(storage.content)
]

const diskColumns: ReadonlyArray<Column> = [
  { title: "DISK", atMost: 32 },
  { title: "TYPE", atMost: 16 },
  { title: "SIZE", align: "right" },
  { title: "MODEL", atMost: 40 },
  { title: "HEALTH", atMost: 16 },
  { title: "LIFE LEFT", align: "right" },
  { title: "USED FOR", atMost: 24 }
]

const healthTones: { readonly [health: string]: "good" | "dim" } = { PASSED: "good", OK: "good", UNKNOWN: "dim" }

const diskRow = (disk: Disk): ReadonlyArray<Cell> => [
  disk.devicePath,
  disk.type,
  bytes(disk.size),
  disk.model ?? unknown,
  toned(healthTones[disk.health] ?? "bad", disk.health),
  disk.wearout === null ? unknown : `${disk.wearout} %`,
  disk.usedFor ?? none
]

const eventColumns: ReadonlyArray<Column> = [
  { title: "#", align: "right" },
  { title: "WHEN" },
  { title: "SEVERITY" },
  { title: "KIND", atMost: 32 },
  { title: "SUBJECT", atMost: 32 },
  { title: "MESSAGE", atMost: 200 }
]

const severityTones = { info: "dim", warning: "warning", critical: "bad" } as const

const eventRow = (event: HostEvent, now: number): ReadonlyArray<Cell> => [
  String(event.seq),
  `${humanDuration(now - event.at)} ago`,
  toned(severityTones[event.severity], event.severity),
  event.kind,
  event.subject ?? none,
  event.message
]

const share = (value: number | null): string => value === null ? "?" : humanShare(value)

const usedOf = (used: number | null, total: number | null): string =>
  `${used === null ? "?" : humanBytes(used)} of ${total === null ? "?" : humanBytes(total)}`

const load = (node: NodeSample): string =>
  [
    `up ${node.uptimeSeconds === null ? "?" : humanDuration(node.uptimeSeconds * 1000)}`,
    `cpu ${share(node.cpu)}`,
    `load ${node.load.map((value) => value.toFixed(2)).join(" ")}`,
    `memory ${usedOf(node.memoryUsed, node.memoryTotal)}`,
    `root ${usedOf(node.rootUsed, node.rootTotal)}`
  ].join(", ")

/** How it stands to what is wished for it, by its own word; nothing where nothing is. */
const desiredLine = (status: DesiredStatus | null): ReadonlyArray<ReadonlyArray<Cell>> => {
  if (status === null) return []
  const { blocked, compared, drift, stale, version } = status
  const how = compared === false
    ? "nothing was held against it"
    : drift.length + blocked.length === 0
    ? "all is as wished"
    : `${drift.length} differ, ${blocked.length} blocked`
  return [[
    toned(
      stale || blocked.length > 0 ? "warning" : "dim",
      `goes by version ${version} of what is wished for it: ${how}${
        stale ? "; it has run out, and nothing new is begun" : ""
      }`
    )
  ]]
}

const desiredColumns: ReadonlyArray<Column> = [{ title: "SUBJECT", atMost: 40 }, { title: "WHY", atMost: 600 }]

const header = ({ inventory, samples, summary }: HostDetail, now: number, colours: boolean): ReadonlyArray<string> => {
  const { host } = summary
  const behind = behindText(summary)
  const lines: ReadonlyArray<ReadonlyArray<Cell>> = [
    [toned("strong", host.node), "  ", host.id, "  ", presenceText(summary, now)],
    [
      `agent ${host.agentVersion}, Proxmox VE ${host.pveVersion ?? "?"}, kernel ${host.kernel ?? "?"}, ` +
      (summary.sequence === null ? "one-off reports only" : `report ${summary.sequence}`)
    ],
    ...(samples.node.state === "ok" ? [[load(samples.node.value)]] : []),
    ...(inventory?.hold === true ? [[toned("warning", "on hold: nothing new is started on this host")]] : []),
    ...(behind === undefined ? [] : [[toned("warning", `by the hub's word, it ${behind}`)]]),
    ...desiredLine(inventory?.desired ?? null),
    ...summary.attention.map((sentence) => [toned("bad", "! "), sentence])
  ]
  return lines.map((line) => line.map((cell) => paint(cell, colours)).join(""))
}

const valueOf = <A>(section: Section<ReadonlyArray<A>> | undefined): ReadonlyArray<A> =>
  section?.state === "ok" ? section.value : []

const unreadable = ({ inventory, samples, sections }: HostDetail): ReadonlyArray<ReadonlyArray<Cell>> => {
  const named: { readonly [section: string]: Section<unknown> } = {
    ...(inventory === null
      ? { inventory: { state: "unavailable", reason: "the host has not sent it yet" } }
      : { guests: inventory.guests, storages: inventory.storages, disks: inventory.disks }),
    "node load": samples.node,
    "guest load": samples.guests,
    temperatures: samples.temperatures,
    "storage usage": sections.storage,
    backup: sections.backup,
    restore: sections.restore,
    pbs: sections.pbs,
    audit: sections.audit,
    ...(sections.health === undefined ? {} : { health: sections.health }),
    ...(sections.hostStorage === undefined ? {} : { "storages of its policy": sections.hostStorage })
  }
  const guests = valueOf(inventory?.guests).flatMap((guest) => [
    [`${formatGuestRef(guest)} config`, guest.config] as const,
    [`${formatGuestRef(guest)} snapshots`, guest.snapshots] as const
  ])
  return [...Object.entries(named), ...guests].flatMap(([name, section]) =>
    section.state === "unavailable" ? [[name, section.reason]] : []
  )
}

/** A table under its title; nothing at all when it has no row. */
const titled = (
  title: string,
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  colours: boolean
): ReadonlyArray<string> =>
  rows.length === 0 ? [] : ["", paint(toned("strong", title), colours), ...renderTable(columns, rows, colours)]

/** What `felhom events` shows. `now` in milliseconds since the epoch. */
export const renderEvents = (events: ReadonlyArray<HostEvent>, now: number, colours: boolean): ReadonlyArray<string> =>
  events.length === 0
    ? ["no events"]
    : renderTable(eventColumns, events.map((event) => eventRow(event, now)), colours)

/** Whose word it is that is shown, in a sentence. */
export interface Word {
  readonly sentence: string
  readonly good: boolean
}

/**
 * What `felhom host` shows: one host with all that its last reports said, and whose word that is. `now` in milliseconds since
 * the epoch.
 */
export const renderHost = (
  detail: HostDetail,
  events: ReadonlyArray<HostEvent>,
  now: number,
  colours: boolean,
  word?: Word
): ReadonlyArray<string> => {
  const { inventory, sections } = detail
  const usages = new Map(valueOf(sections.storage).map((usage) => [usage.storage, usage]))
  return [
    ...header(detail, now, colours),
    ...(word === undefined ? [] : [paint(toned(word.good ? "good" : "warning", word.sentence), colours)]),
    ...titled("Guests", guestColumns, valueOf(inventory?.guests).map((guest) => guestRow(guest, now)), colours),
    ...titled(
      "Storages",
      storageColumns,
      valueOf(inventory?.storages).map((storage) => storageRow(storage, usages.get(storage.storage))),
      colours
    ),
    ...titled("Disks", diskColumns, valueOf(inventory?.disks).map(diskRow), colours),
    ...titled("Health", healthColumns, healthRows(sections, now), colours),
    ...titled("Sets of disks", setColumns, setRows(sections, now), colours),
    ...titled("Network storages", networkColumns, networkRows(sections), colours),
    ...titled("Not readable", [{ title: "WHAT" }, { title: "WHY", atMost: 200 }], unreadable(detail), colours),
    ...titled(
      "Differs from what is wished",
      desiredColumns,
      (inventory?.desired?.drift ?? []).map(({ reason, subject }) => [subject, reason]),
      colours
    ),
    ...titled(
      "Blocked",
      desiredColumns,
      (inventory?.desired?.blocked ?? []).map(({ reason, subject }) => [subject, reason]),
      colours
    ),
    ...titled("Last events", eventColumns, events.map((event) => eventRow(event, now)), colours)
  ]
}
