import type { HealthLine } from "@felhom/domain/Health"
import type { ReportSections } from "@felhom/domain/HostReport"
import type { DiskSet, NetworkStorage, SetMember } from "@felhom/domain/HostStorage"
import { humanDuration } from "@felhom/domain/HumanText"
import { type Cell, type Column, toned } from "./Table.ts"

const none = toned("dim", "-")

const ago = (at: number, now: number): string => humanDuration(now - at)

export const healthColumns: ReadonlyArray<Column> = [
  { title: "WHAT", atMost: 40 },
  { title: "STATE" },
  { title: "SINCE", align: "right" },
  { title: "STORAGES", atMost: 40 },
  { title: "WHY", atMost: 600 }
]

const healthTones = { ok: "good", warn: "warning", fail: "bad", unknown: "dim" } as const

const called = ({ id, kind, name }: HealthLine): string =>
  `${kind === "disk-set" ? "set" : kind} ${name}${id === name ? "" : ` (${id})`}`

/** How the host finds its own disks, sensors and storages, the worst first. `now` in milliseconds since the epoch. */
export const healthRows = ({ health }: ReportSections, now: number): ReadonlyArray<ReadonlyArray<Cell>> =>
  health?.state !== "ok" ? [] : [
    ...health.value.lines.map((line) => [
      called(line),
      toned(healthTones[line.state], line.state),
      ago(line.since, now),
      line.storages.length === 0 ? none : line.storages.join(", "),
      line.reasons.length === 0 ? none : line.reasons.join("; ")
    ]),
    ...(health.value.omitted === 0 ? [] : [[`${health.value.omitted} more`, none, none, none, none]])
  ]

export const setColumns: ReadonlyArray<Column> = [
  { title: "SET", atMost: 32 },
  { title: "STORAGE", atMost: 32 },
  { title: "STATE" },
  { title: "DISKS", atMost: 200 },
  { title: "WHY", atMost: 600 }
]

const setTones = { ready: "good", ejected: "dim", missing: "bad", trouble: "bad" } as const

const member = ({ mountedAt, name, state }: SetMember, now: number): string =>
  state === "away" || state === "due-back"
    ? `${name} ${state === "away" ? "away" : "due back"}${mountedAt === null ? "" : ` (${ago(mountedAt, now)})`}`
    : `${name} ${state}`

const setRow = ({ members, name, state, storage, why }: DiskSet, now: number): ReadonlyArray<Cell> => [
  name,
  storage,
  toned(setTones[state], state),
  members.map((one) => member(one, now)).join(", "),
  [why, ...members.map((one) => one.why)].filter((words) => words !== null).join("; ")
]

/** The host's sets of disks that take turns. */
export const setRows = ({ hostStorage }: ReportSections, now: number): ReadonlyArray<ReadonlyArray<Cell>> =>
  hostStorage?.state === "ok" ? hostStorage.value.sets.map((set) => setRow(set, now)) : []

export const networkColumns: ReadonlyArray<Column> = [
  { title: "STORAGE", atMost: 32 },
  { title: "TYPE" },
  { title: "STATE" },
  { title: "WHY", atMost: 600 }
]

const networkRow = ({ state, storage, type, why }: NetworkStorage): ReadonlyArray<Cell> => [
  storage,
  type,
  toned(state === "ready" ? "good" : "bad", state),
  why ?? none
]

/** The network storages that its policy names. */
export const networkRows = ({ hostStorage }: ReportSections): ReadonlyArray<ReadonlyArray<Cell>> =>
  hostStorage?.state === "ok" ? hostStorage.value.network.map(networkRow) : []
