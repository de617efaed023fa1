import type { HostId } from "@felhom/domain/HostId"
import type { HostSummary } from "@felhom/domain/HubApi"
import { humanDuration } from "@felhom/domain/HumanText"
import type { SignersEntry } from "@felhom/domain/SignersApi"
import type { FleetId } from "@felhom/domain/SignersDocument"
import { Clock, Effect, Either } from "effect"
import { moment } from "./DisplayLines.ts"
import { shortIdLength } from "./HostsView.ts"
import { HubReader } from "./HubReader.ts"
import { glimpsed } from "./SignedHost.ts"
import { heldIn, type Trail } from "./SignersTrail.ts"
import { type Cell, type Column, paint, renderTable, toned } from "./Table.ts"

/** One version, as this machine knows it or as the hub shows it. */
export interface LoggedVersion {
  readonly version: number
  /** `verified`: by the one before, here. `anchor`: a host said that it has it. The others are the hub's alone. */
  readonly state: "anchor" | "verified" | "collecting" | "not verified" | "before"
  readonly sha256: string
  readonly issued: number | null
  readonly reason: string | null
  readonly signers: number | null
  readonly revoked: number | null
}

/** Which version a host has. */
export interface LoggedHost {
  readonly host: HostId
  readonly node: string
  /** 0: it took none. Null: nobody knows. */
  readonly version: number | null
  readonly fleet: string | null
  /** Why it is not the host's own word that is shown; null when it is. */
  readonly doubt: string | null
  /** Root has edited its own list since, so that one holds. */
  readonly edited: boolean
  /** When the host said so, by its own clock; null when it did not. */
  readonly saidAt: number | null
}

const ofDocument = (signed: { readonly payload: string; readonly signatures: ReadonlyArray<string> }) =>
  Effect.map(heldIn(signed), ({ document, revoked, sha256, signers }) => ({
    version: document.version,
    sha256,
    issued: document.issued,
    reason: document.reason,
    signers: signers.signers.length,
    revoked: revoked.keys.size
  }))

/** All versions, oldest first: those that were verified here, and what else the hub has. */
export const loggedVersions = ({ known }: Trail, entries: ReadonlyArray<SignersEntry>) =>
  Effect.gen(function*() {
    const anchor = "version" in known.anchor
      ? [{ ...(yield* ofDocument(known.anchor.version)), state: "anchor" as const }]
      : []
    const verified = yield* Effect.forEach(
      known.versions,
      (signed) => Effect.map(ofDocument(signed), (version) => ({ ...version, state: "verified" as const }))
    )
    const own: ReadonlyArray<LoggedVersion> = [...anchor, ...verified]
    const [first] = own
    const others = entries.filter(({ version }) => own.every((one) => one.version !== version)).map((
      { sha256, state, version }
    ): LoggedVersion => ({
      version,
      sha256,
      state: state === "collecting"
        ? "collecting"
        : first !== undefined && version < first.version
        ? "before"
        : "not verified",
      issued: null,
      reason: null,
      signers: null,
      revoked: null
    }))
    return [...own, ...others].toSorted((a, b) => a.version - b.version)
  })

/** Which version each host has, by its own signed word where that can be had. */
export const loggedHosts = (hosts: ReadonlyArray<HostSummary>) =>
  Effect.gen(function*() {
    const hub = yield* HubReader
    return yield* Effect.forEach(hosts, ({ host: { id, node } }) =>
      Effect.gen(function*() {
        const said = yield* Effect.either(glimpsed(id, yield* hub.signed(id)))
        const nothing = { host: id, node, version: null, fleet: null, edited: false }
        if (Either.isLeft(said)) {
          const doubted: LoggedHost = { ...nothing, doubt: said.left, saidAt: null }
          return doubted
        }
        const { takenAt, trust } = said.right
        if (trust === undefined || trust === null || trust.fleet === undefined) {
          const silent: LoggedHost = { ...nothing, doubt: "its agent follows no fleet's signers", saidAt: takenAt }
          return silent
        }
        const logged: LoggedHost = {
          host: id,
          node,
          version: trust.fleet?.version ?? 0,
          fleet: trust.fleet?.fleet ?? null,
          edited: trust.fleet?.followed === false,
          doubt: null,
          saidAt: takenAt
        }
        return logged
      }))
  })

const versionColumns: ReadonlyArray<Column> = [
  { title: "VERSION", align: "right" },
  { title: "STATE" },
  { title: "MADE" },
  { title: "KEYS", align: "right" },
  { title: "REVOKED", align: "right" },
  { title: "DOCUMENT" },
  { title: "REASON", atMost: 80 }
]

const stateTones = {
  anchor: "good",
  verified: "good",
  collecting: "warning",
  "not verified": "bad",
  before: "dim"
} as const

const versionRow = (one: LoggedVersion): ReadonlyArray<Cell> => [
  String(one.version),
  toned(stateTones[one.state], one.state),
  one.issued === null ? toned("dim", "?") : moment(one.issued),
  one.signers === null ? toned("dim", "?") : String(one.signers),
  one.revoked === null ? toned("dim", "?") : String(one.revoked),
  one.sha256.slice(0, 12),
  one.reason ?? toned("dim", "-")
]

const hostColumns: ReadonlyArray<Column> = [
  { title: "HOST", atMost: 32 },
  { title: "ID" },
  { title: "HAS", align: "right" },
  { title: "SAID" },
  { title: "", atMost: 200 }
]

const hostRow = (host: LoggedHost, fleet: FleetId, latest: number, now: number): ReadonlyArray<Cell> => {
  const other = host.fleet !== null && host.fleet !== fleet
  const remark = host.doubt !== null
    ? toned("warning", host.doubt)
    : other
    ? toned("warning", `it follows another fleet, ${host.fleet}`)
    : host.edited
    ? toned("warning", "root has edited its own list since: that one holds, until a version continues from it")
    : host.version === 0
    ? toned("warning", "it took none: its own list is not the one that the fleet began with, or it was not asked yet")
    : host.version !== null && host.version < latest
    ? toned("warning", `${latest - host.version} behind`)
    : ""
  return [
    toned("strong", host.node),
    host.host.slice(0, shortIdLength),
    host.version === null ? toned("bad", "?") : String(host.version),
    host.saidAt === null ? toned("dim", "-") : `${humanDuration(now - host.saidAt)} ago`,
    remark
  ]
}

/** What `felhom signers log` shows. */
export const renderLog = (
  trail: Trail,
  versions: ReadonlyArray<LoggedVersion>,
  hosts: ReadonlyArray<LoggedHost>,
  colours: boolean
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(Clock.currentTimeMillis, (now) => [
    paint(
      toned(
        "strong",
        `fleet ${trail.known.fleet}, version ${trail.version} verified on this machine; ${trail.known.threshold} sign a new list`
      ),
      colours
    ),
    ...(versions.length === 0
      ? ["no version was made yet"]
      : renderTable(versionColumns, versions.map(versionRow), colours)),
    "",
    paint(toned("strong", "Hosts, in their own signed words"), colours),
    ...(hosts.length === 0 ? ["no host has ever reported"] : renderTable(
      hostColumns,
      hosts.map((host) => hostRow(host, trail.known.fleet, trail.version, now)),
      colours
    ))
  ])
