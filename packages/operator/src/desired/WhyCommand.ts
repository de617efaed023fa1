import { Args, Command, Options } from "@effect/cli"
import type { DesiredDetail } from "@felhom/domain/DesiredApi"
import { displayText, displayTextWithin } from "@felhom/domain/DisplayText"
import type { Guest } from "@felhom/domain/Guest"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostId } from "@felhom/domain/HostId"
import { humanBytes, humanDuration } from "@felhom/domain/HumanText"
import { Clock, Console, Effect, Either } from "effect"
import { connectionOptions } from "../Connection.ts"
import { moment } from "../DisplayLines.ts"
import { findHost, wanted } from "../FindHost.ts"
import { shortIdLength } from "../HostsView.ts"
import { HubDesired } from "../HubDesired.ts"
import { HubReader } from "../HubReader.ts"
import { OperatorError } from "../OperatorError.ts"
import { colours, output, print, withDesired } from "../Root.ts"
import { glimpsed, trusted, trustSentence } from "../SignedHost.ts"
import { type Column, paint, renderTable, toned } from "../Table.ts"
import { trustLayer } from "../TrustCommands.ts"
import { heldWords } from "./DesiredCommand.ts"
import { nameIn, type Story, storyOf } from "./GuestStory.ts"
import { wishWords } from "./WishWords.ts"

/** As many as a hub gives at once. */
const page = 1000

/** All events that the hub keeps of a host's present epoch, oldest first. */
const allEvents = (id: HostId) =>
  Effect.gen(function*() {
    const hub = yield* HubReader
    const found: Array<HostEvent> = []
    for (;;) {
      const next = yield* hub.events(id, found.at(-1)?.seq ?? 0, page)
      found.push(...next)
      if (next.length < page) return found
    }
  })

const nowWords = (guest: Guest): string =>
  [
    guest.template ? "a template" : guest.status,
    ...(guest.cpus === null ? [] : [guest.cpus === 1 ? "1 core" : `${guest.cpus} cores`]),
    ...(guest.memory === null ? [] : [humanBytes(guest.memory)]),
    ...(guest.lock === null ? [] : [`locked (${displayTextWithin(guest.lock, 40)})`]),
    ...(guest.config.state === "ok" ? [] : [`not readable: ${displayTextWithin(guest.config.reason, 200)}`])
  ].join(", ")

const eventColumns: ReadonlyArray<Column> = [
  { title: "WHEN" },
  { title: "KIND", atMost: 24 },
  { title: "WHAT", atMost: 600 }
]

const severityTones = { info: "dim", warning: "warning", critical: "bad" } as const

/** To the second, by the host's own clock. */
const second = (at: number): string => new Date(at).toISOString().slice(0, 19).replace("T", " ")

const eventRow = ({ at, kind, message, severity }: HostEvent) => [
  second(at),
  toned(severityTones[severity], kind),
  message
]

/** All that `felhom why` shows of a story. `held` says how its host stands to what is published. */
export const renderStory = (
  story: Story,
  held: readonly [good: boolean, sentence: string] | null,
  limit: number,
  now: number,
  colour: boolean
): ReadonlyArray<string> => {
  const { blocked, drift, events, former, guest, wish } = story
  const shown = events.slice(-limit)
  const left = events.length - shown.length
  const marked = (tone: "good" | "warning" | "dim", text: string) => paint(toned(tone, text), colour)
  return [
    guest === null
      ? marked("warning", "now       its host's last report has no such guest")
      : `now       ${nowWords(guest)}`,
    wish === null
      ? former === null
        ? "wished    nothing: it is left alone"
        : marked(
          "warning",
          `wished    nothing for who it is now: ${
            displayTextWithin(former.called, 80)
          } was named when it had other addresses or volumes; felhom apply names it anew`
        )
      : `wished    ${wishWords(wish.desired)}`,
    ...(wish === null ? [] : [
      `          since ${humanDuration(now - wish.since.at)} (${moment(wish.since.at)}), by ${
        displayTextWithin(wish.since.by, 60)
      } as version ${wish.since.version}, by the hub's word`
    ]),
    ...(wish === null || held === null ? [] : [marked(held[0] ? "dim" : "warning", `host      ${held[1]}`)]),
    ...drift.map((reason) => marked("warning", `differs   ${reason}`)),
    ...blocked.map((reason) => marked("warning", `blocked   ${reason}`)),
    ...(drift.length + blocked.length === 0 && wish !== null && guest !== null
      ? ["differs   in nothing that its host tells"]
      : []),
    "",
    ...(events.length === 0
      ? ["nothing that the hub keeps happened to it"]
      : renderTable(eventColumns, shown.map(eventRow), colour)),
    ...(left > 0 ? [`and ${left} earlier (--limit)`] : [])
  ]
}

const heldOf = (detail: DesiredDetail | null, id: HostId) =>
  Effect.gen(function*() {
    if (detail === null) return null
    const hub = yield* HubReader
    return yield* Effect.match(glimpsed(id, yield* hub.signed(id)), {
      onFailure: (why): readonly [boolean, string] => [false, `whether it goes by that can't be said: ${why}`],
      onSuccess: (report) => heldWords(detail.published, report.trust?.desired)
    })
  })

export const whyCommand = Command.make(
  "why",
  {
    wanted,
    guest: Args.text({ name: "guest" }).pipe(
      Args.withDescription("The guest, by its name, its number or as lxc/101; it may be gone")
    ),
    limit: Options.integer("limit").pipe(
      Options.withDefault(50),
      Options.withDescription("How many of the last events, at most")
    ),
    ...connectionOptions,
    output
  },
  ({ guest, limit, output, wanted, ...options }) =>
    withDesired(
      options,
      Effect.gen(function*() {
        if (limit < 1) return yield* new OperatorError({ reason: "usage", detail: "--limit is 1 or more" })
        const hub = yield* HubReader
        const { host } = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, wanted))
        const { detail, trust } = yield* trusted(yield* hub.host(host.id), yield* hub.signed(host.id))
        const wished = yield* Effect.flatMap(HubDesired, (desired) => desired.present(host.id))
        const story = yield* Either.mapLeft(
          storyOf(guest, detail.inventory, wished, yield* allEvents(host.id)),
          (detail) => new OperatorError({ reason: "no-host", detail })
        )
        if (output === "json") return yield* Console.log(JSON.stringify({ ...story, host: host.id, trust }))
        const colour = yield* colours
        const called = story.guest?.name ?? (story.wish === null ? null : nameIn(story.wish.called))
        const words = [story.ref ?? "not made yet:", called === story.ref ? null : called]
        yield* print([
          `${words.flatMap((word) => word === null ? [] : [displayText(word)]).join(" ")} on ${
            displayText(host.node)
          } (${host.id.slice(0, shortIdLength)})`,
          paint(toned(trust.state === "signed" ? "good" : "warning", yield* trustSentence(detail, trust)), colour),
          ...renderStory(story, yield* heldOf(wished, host.id), limit, yield* Clock.currentTimeMillis, colour)
        ])
      }).pipe(Effect.provide(trustLayer))
    )
).pipe(
  Command.withDescription(
    "One guest's story: what is wished for it, since when and by whom, what its host says of it now, and all that happened to it"
  )
)
