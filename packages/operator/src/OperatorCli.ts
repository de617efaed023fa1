import { Args, type CliApp, Command, Options, ValidationError } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import type { HostSummary } from "@felhom/domain/HubApi"
import { version } from "@felhom/domain/Version"
import { Clock, Config, Console, Context, Effect } from "effect"
import { connection, type ConnectionOptions, connectionOptions } from "./Connection.ts"
import { attentionSentence, renderHosts, shortIdLength } from "./HostsView.ts"
import { renderHost } from "./HostView.ts"
import * as HubReader from "./HubReader.ts"
import { OperatorError } from "./OperatorError.ts"

/** Whether stdout is a terminal that a person looks at. */
export class IsTerminal extends Context.Tag("felhom/operator/IsTerminal")<IsTerminal, boolean>() {}

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDescription("text for people, json for programs"),
  Options.withDefault("text")
)

const felhom = Command.make("felhom", connectionOptions).pipe(
  Command.withDescription("See what the hosts say, through their hub")
)

/** Colours for a person at a terminal who did not ask to be spared (no-color.org: NO_COLOR with any value but none). */
const colours = Effect.gen(function*() {
  const isTerminal = yield* IsTerminal
  const noColor = yield* Effect.orDie(Config.withDefault(Config.string("NO_COLOR"), ""))
  return isTerminal && noColor === ""
})

const print = (lines: ReadonlyArray<string>): Effect.Effect<void> => Console.log(lines.join("\n"))

const withHub = <A, E, R>(options: ConnectionOptions, use: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const checked = yield* connection(options, yield* felhom)
    return yield* Effect.provide(use, HubReader.layer(checked))
  })

const hosts = Command.make("hosts", { ...connectionOptions, output }, ({ output, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const hub = yield* HubReader.HubReader
      const list = yield* hub.hosts
      if (output === "json") yield* Console.log(JSON.stringify(list))
      else yield* print(renderHosts(list, yield* Clock.currentTimeMillis, yield* colours))
      const attention = attentionSentence(list)
      if (attention !== undefined) return yield* new OperatorError({ reason: "attention", detail: attention })
    })
  )).pipe(Command.withDescription("All hosts, those that need attention first; exits 1 when one does"))

const wanted = Args.text({ name: "host" }).pipe(
  Args.withDescription("The beginning of a host's id, or its node name")
)

/** The one host that is meant, by its whole node name or by the beginning of its id. */
export const findHost = (
  list: ReadonlyArray<HostSummary>,
  text: string
): Effect.Effect<HostSummary, OperatorError> => {
  const byName = list.filter(({ host }) => host.node === text)
  const matches = byName.length > 0 ? byName : list.filter(({ host }) => host.id.startsWith(text.toLowerCase()))
  const [found] = matches
  if (found !== undefined && matches.length === 1) return Effect.succeed(found)
  const known = matches.map(({ host }) => `${host.node} (${host.id.slice(0, shortIdLength)})`).join(", ")
  return Effect.fail(
    new OperatorError({
      reason: "no-host",
      detail: matches.length === 0
        ? `no host is called ${JSON.stringify(text)}, nor does an id begin so; see felhom hosts`
        : `${JSON.stringify(text)} may be any of ${known}; give the beginning of an id`
    })
  )
}

/** How many of the last events are shown. */
const eventsShown = 10

const host = Command.make("host", { wanted, ...connectionOptions, output }, ({ output, wanted, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const hub = yield* HubReader.HubReader
      const { events, eventsMissing, host } = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, wanted))
      const detail = yield* hub.host(host.id)
      // Events are numbered from 1, so stored and missing ones together give the highest number.
      const last = yield* hub.events(host.id, Math.max(0, events + eventsMissing - eventsShown), eventsShown)
      if (output === "json") return yield* Console.log(JSON.stringify({ ...detail, events: last }))
      yield* print(renderHost(detail, last, yield* Clock.currentTimeMillis, yield* colours))
    })
  )).pipe(Command.withDescription("One host: its guests, storages, disks and last events"))

const command = felhom.pipe(Command.withSubcommands([hosts, host]))

/** 0: done; 1: failed, or a host needs attention; 2: the command line, the environment or a file named there is wrong. */
export type ExitCode = 0 | 1 | 2

/** Runs the command line, `argv` as Node gives it. Why it did not end with 0 is one sentence on stderr. */
export const run = (
  argv: ReadonlyArray<string>
): Effect.Effect<ExitCode, never, CliApp.CliApp.Environment | IsTerminal> =>
  Command.run(command, { name: "felhom", version, executable: "felhom" })(argv).pipe(
    Effect.as(0 as const),
    Effect.catchAll((error) =>
      // A wrong command line was told already.
      ValidationError.isValidationError(error)
        ? Effect.succeed(2 as const)
        : Effect.as(Console.error(displayText(error.message)), error.reason === "usage" ? 2 as const : 1 as const)
    )
  )
