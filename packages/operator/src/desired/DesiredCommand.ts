import { Command } from "@effect/cli"
import type { DesiredDetail, DesiredEntry } from "@felhom/domain/DesiredApi"
import { displayText } from "@felhom/domain/DisplayText"
import type { DesiredHeld } from "@felhom/domain/HostReport"
import { humanDuration } from "@felhom/domain/HumanText"
import { Clock, Console, Effect } from "effect"
import { connectionOptions } from "../Connection.ts"
import { moment } from "../DisplayLines.ts"
import { findHost, wanted } from "../FindHost.ts"
import { HubDesired } from "../HubDesired.ts"
import { HubReader } from "../HubReader.ts"
import { colours, output, print, withDesired } from "../Root.ts"
import { type Witnessed, witnessed } from "../SignedHost.ts"
import { type Cell, type Column, paint, renderTable, toned } from "../Table.ts"
import { trustLayer } from "../TrustCommands.ts"
import { appliedWords, wishWords } from "./WishWords.ts"

/** Whether a host goes by what is published, by its own signed word. */
export const heldWords = (
  published: DesiredDetail["published"] | null,
  held: DesiredHeld | null | undefined
): readonly [good: boolean, sentence: string] => {
  if (held === undefined) {
    return [false, "it does not say what it goes by: its agent takes no desired state, or can't read it"]
  }
  if (held === null) {
    return published === null
      ? [true, "it goes by none"]
      : [false, "it has taken none yet: it comes with the answer to its next report, or its events say why not"]
  }
  if (published === null) return [false, `it goes by version ${held.version} of a hub's store ${held.epoch}`]
  if (held.epoch !== published.epoch) {
    return [
      false,
      `it goes by another store of the hub (${held.epoch}), and takes nothing of this one (${published.epoch}) until ` +
      "operators sign felhom op desired.accept_epoch"
    ]
  }
  if (held.version === published.version && held.sha256 === published.sha256) {
    return [true, `it goes by exactly this, as version ${held.version}`]
  }
  return held.version === published.version
    ? [false, `what it has as version ${held.version} is NOT what the hub shows: ask who runs the hub`]
    : [
      false,
      held.version === 0
        ? "it has taken none of this store's yet"
        : `it goes by version ${held.version}, and version ${published.version} is on its way to it`
    ]
}

const wishColumns: ReadonlyArray<Column> = [
  { title: "GUEST", atMost: 40 },
  { title: "SINCE" },
  { title: "BY", atMost: 24 },
  { title: "WISHED", atMost: 400 }
]

const statusColumns: ReadonlyArray<Column> = [{ title: "SUBJECT", atMost: 40 }, { title: "WHY", atMost: 600 }]

const statusLines = ({ inventory }: Witnessed, colour: boolean): ReadonlyArray<string> => {
  const status = inventory?.desired ?? null
  if (status === null) return []
  const table = (title: string, rows: typeof status.drift) =>
    rows.length === 0 ? [] : [
      "",
      paint(toned("strong", title), colour),
      ...renderTable(statusColumns, rows.map(({ reason, subject }): ReadonlyArray<Cell> => [subject, reason]), colour)
    ]
  return [
    ...(status.stale ? [paint(toned("warning", "what it has has run out: it begins nothing new"), colour)] : []),
    ...(status.compared === false
      ? ["it has not held its guests against that"]
      : status.drift.length === 0
      ? ["nothing differs there, by its own word"]
      : []),
    ...table("Differs, by the host's own word", status.drift),
    ...table("Blocked, by the host's own word", status.blocked)
  ]
}

const shownLines = (
  detail: DesiredDetail | null,
  sight: Witnessed,
  now: number,
  colour: boolean
): ReadonlyArray<string> => {
  const [good, sentence] = heldWords(detail?.published ?? null, sight.report.trust?.desired)
  const held = paint(toned(good ? "good" : "warning", sentence), colour)
  if (detail === null) {
    return ["nothing is wished for it at this hub (felhom apply)", held, ...statusLines(sight, colour)]
  }
  const { entry, published, state, wishes } = detail
  return [
    appliedWords(detail, now),
    `published as version ${published.version} at ${moment(published.issued)}, good until ${
      moment(published.expires)
    }; the hub renews it while the host reports (${humanDuration(entry.goodFor * 1000)} each time)`,
    held,
    ...statusLines(sight, colour),
    "",
    paint(toned("strong", "Wishes, by the hub's word"), colour),
    ...(state.guests.length === 0
      ? ["none: all guests are left alone"]
      : renderTable(
        wishColumns,
        state.guests.map((guest, index): ReadonlyArray<Cell> => {
          const wish = wishes[index]
          return [
            wish?.called ?? "?",
            wish === undefined ? "?" : `${humanDuration(now - wish.since.at)} ago`,
            wish?.since.by ?? "?",
            wishWords(guest)
          ]
        }),
        colour
      ))
  ]
}

const show = Command.make(
  "show",
  { wanted, ...connectionOptions, output },
  ({ output, wanted, ...options }) =>
    withDesired(
      options,
      Effect.gen(function*() {
        const hub = yield* HubReader
        const { host } = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, wanted))
        const sight = yield* witnessed(yield* hub.host(host.id), yield* hub.signed(host.id))
        const detail = yield* Effect.flatMap(HubDesired, (desired) => desired.present(host.id))
        if (output === "json") {
          const held = sight.report.trust?.desired ?? null
          return yield* Console.log(
            JSON.stringify({ wished: detail, held, status: sight.inventory?.desired ?? null })
          )
        }
        yield* print([
          `${displayText(host.node)}  ${host.id}`,
          ...shownLines(detail, sight, yield* Clock.currentTimeMillis, yield* colours)
        ])
      }).pipe(Effect.provide(trustLayer))
    )
).pipe(
  Command.withDescription(
    "What is wished for a host's guests, since when and by whom, and how the host itself says it stands to that"
  )
)

const logColumns: ReadonlyArray<Column> = [
  { title: "VERSION", align: "right" },
  { title: "WHEN" },
  { title: "BY", atMost: 24 },
  { title: "GUESTS", align: "right" },
  { title: "GOOD FOR" },
  { title: "WHY", atMost: 200 }
]

const logRow = ({ applied, goodFor, guests, reason }: DesiredEntry): ReadonlyArray<Cell> => [
  String(applied.version),
  moment(applied.at),
  applied.by,
  String(guests),
  humanDuration(goodFor * 1000),
  reason === "" ? toned("dim", "-") : reason
]

const log = Command.make(
  "log",
  { wanted, ...connectionOptions, output },
  ({ output, wanted, ...options }) =>
    withDesired(
      options,
      Effect.gen(function*() {
        const { host } = yield* Effect.flatMap(
          Effect.flatMap(HubReader, (hub) => hub.hosts),
          (list) => findHost(list, wanted)
        )
        const entries = yield* Effect.flatMap(HubDesired, (desired) => desired.log(host.id))
        if (output === "json") return yield* Console.log(JSON.stringify(entries))
        yield* print(
          entries.length === 0
            ? ["nothing was ever applied to it at this hub"]
            : renderTable(logColumns, entries.map(logRow), yield* colours)
        )
      })
    )
).pipe(Command.withDescription("Who applied what to a host and when, newest first, by the hub's word"))

export const desiredCommand = Command.make("desired").pipe(
  Command.withSubcommands([show, log]),
  Command.withDescription("What is wished for hosts: show, log; felhom apply publishes it")
)
