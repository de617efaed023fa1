import { Args, Command, Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import { Clock, Console, Effect, Option } from "effect"
import { renderAlarms, renderNoticeTests } from "./AlarmView.ts"
import { connectionOptions } from "./Connection.ts"
import { HubAdmin } from "./HubAdmin.ts"
import { HubReader } from "./HubReader.ts"
import { OperatorError } from "./OperatorError.ts"
import { colours, output, print, withAdmin, withHub } from "./Root.ts"

const all = Options.boolean("all").pipe(Options.withDescription("The last hundred that are over, too"))

const alarms = Command.make("alarms", { all, ...connectionOptions, output }, ({ all, output, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const hub = yield* HubReader
      const list = yield* hub.alarms(all)
      yield* output === "json"
        ? Console.log(JSON.stringify(list))
        : print(renderAlarms(list, yield* Clock.currentTimeMillis, yield* colours))
    })
  )).pipe(
    Command.withDescription("Open alarms: the cause, its hosts, since when, who looks after it; and the channels")
  )

const unitSeconds: { readonly [unit: string]: number } = { m: 60, h: 3_600, d: 86_400 }

const longestDays = 365

/** Seconds in `30m`, `4h` or `2d`. */
export const readDuration = (text: string): Option.Option<number> => {
  const [, count = "", unit = ""] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
  const seconds = Number(count) * (unitSeconds[unit] ?? 0)
  return seconds >= 60 && seconds <= longestDays * 86_400 ? Option.some(seconds) : Option.none()
}

const durationOption = Options.text("for").pipe(
  Options.optional,
  Options.withDescription("How long, such as 30m, 4h or 2d; without it, until the alarm is over")
)

const note = Options.text("note").pipe(
  Options.withDefault(""),
  Options.withDescription("What others should know, such as what is being done")
)

const ack = Command.make(
  "ack",
  {
    alarm: Args.integer({ name: "alarm" }).pipe(Args.withDescription("Its number, as in felhom alarms and in notices")),
    for: durationOption,
    note,
    ...connectionOptions,
    output
  },
  ({ alarm, for: wanted, note, output, ...options }) =>
    withAdmin(
      options,
      Effect.gen(function*() {
        const seconds = Option.flatMap(wanted, readDuration)
        if (Option.isSome(wanted) && Option.isNone(seconds)) {
          return yield* new OperatorError({ reason: "usage", detail: "--for is such as 30m, 4h or 2d, a year at most" })
        }
        if (note.length > 500) {
          return yield* new OperatorError({ reason: "usage", detail: "--note takes 500 characters at most" })
        }
        const admin = yield* HubAdmin
        const acknowledged = yield* admin.acknowledge(alarm, Option.getOrNull(seconds), note)
        yield* output === "json"
          ? Console.log(JSON.stringify(acknowledged))
          : print([
            `acknowledged alarm ${acknowledged.id}: ${
              displayText(acknowledged.title)
            }. It is told again when it gets ` +
            `worse${Option.isSome(seconds) ? ", or lasts longer than that" : ""}`
          ])
      })
    )
).pipe(
  Command.withDescription(
    "Say that you look after an alarm: it is not told again until a host joins it or it gets more severe (operator)"
  )
)

const test = Command.make("test", { ...connectionOptions, output }, ({ output, ...options }) =>
  withAdmin(
    options,
    Effect.gen(function*() {
      const admin = yield* HubAdmin
      const results = yield* admin.testNotices
      yield* output === "json"
        ? Console.log(JSON.stringify(results))
        : print(renderNoticeTests(results, yield* colours))
      if (results.some(({ error }) => error !== null)) {
        return yield* new OperatorError({ reason: "attention", detail: "a test notice did not get through" })
      }
    })
  )).pipe(Command.withDescription("Send a test notice through every channel, and say what became of it (admin)"))

const notify = Command.make("notify").pipe(
  Command.withDescription("Notices that the hub sends to people"),
  Command.withSubcommands([test])
)

/** What is wrong, who looks after it, and whether people are told. */
export const alarmCommands = [alarms, ack, notify] as const
