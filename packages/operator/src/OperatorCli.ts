import { type CliApp, Command, Options, ValidationError } from "@effect/cli"
import type { CommandExecutor } from "@effect/platform"
import { displayText } from "@felhom/domain/DisplayText"
import { version } from "@felhom/domain/Version"
import { Clock, Console, Effect, Either, Option } from "effect"
import { alarmCommands } from "./AlarmCommands.ts"
import { connectionOptions } from "./Connection.ts"
import { applyCommand } from "./desired/ApplyCommand.ts"
import { desiredCommand } from "./desired/DesiredCommand.ts"
import { schemaCommand } from "./desired/SchemaCommand.ts"
import { whyCommand } from "./desired/WhyCommand.ts"
import { findHost, wanted } from "./FindHost.ts"
import { goldenCommand } from "./golden/GoldenCommand.ts"
import { historyCommand } from "./HistoryCommand.ts"
import { hostsCommand } from "./HostsCommand.ts"
import { renderEvents, renderHost } from "./HostView.ts"
import { HubReader } from "./HubReader.ts"
import type { Input } from "./Input.ts"
import { loginCommand } from "./LoginCommand.ts"
import { opCommand } from "./OpCommand.ts"
import { OperatorError } from "./OperatorError.ts"
import { opsCommands } from "./OpsCommands.ts"
import { spelledOut } from "./RepeatedOptions.ts"
import { revokeCommand } from "./RevokeCommand.ts"
import { colours, felhom, type IsTerminal, output, print, withHub } from "./Root.ts"
import { trusted, trustSentence } from "./SignedHost.ts"
import { signersCommand } from "./SignersCommand.ts"
import { trustCommands, trustLayer } from "./TrustCommands.ts"
import { verifyCommand } from "./VerifyCommand.ts"

/** How many of the last events are shown. */
const eventsShown = 10

const host = Command.make("host", { wanted, ...connectionOptions, output }, ({ output, wanted, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const hub = yield* HubReader
      const { events, eventsBeforeRestore, eventsMissing, host } = yield* Effect.flatMap(hub.hosts, (list) =>
        findHost(list, wanted))
      const { detail, trust } = yield* trusted(yield* hub.host(host.id), yield* hub.signed(host.id))
      // Events are numbered from 1, so stored and missing ones together give the highest number.
      const last = yield* hub.events(
        host.id,
        Math.max(0, events + eventsMissing + eventsBeforeRestore - eventsShown),
        eventsShown
      )
      if (output === "json") {
        return yield* Console.log(JSON.stringify({ ...detail, events: last, trust }))
      }
      const word = { sentence: yield* trustSentence(detail, trust), good: trust.state === "signed" }
      yield* print(renderHost(detail, last, yield* Clock.currentTimeMillis, yield* colours, word))
    }).pipe(Effect.provide(trustLayer))
  )).pipe(
    Command.withDescription("One host: its guests, storages, disks and last events, in the host's own signed words")
  )

const events = Command.make("events", {
  wanted,
  after: Options.integer("after").pipe(
    Options.optional,
    Options.withDescription("Only events with a higher number, the oldest of them first; without it, the last ones")
  ),
  limit: Options.integer("limit").pipe(
    Options.withDefault(100),
    Options.withDescription("How many at most, up to 1000")
  ),
  ...connectionOptions,
  output
}, ({ after, limit, output, wanted, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      if (limit < 1 || limit > 1000) {
        return yield* new OperatorError({ reason: "usage", detail: "--limit is 1 to 1000" })
      }
      const hub = yield* HubReader
      const { events, eventsBeforeRestore, eventsMissing, host } = yield* Effect.flatMap(hub.hosts, (list) =>
        findHost(list, wanted))
      const from = Option.getOrElse(after, () =>
        Math.max(0, events + eventsMissing + eventsBeforeRestore - limit))
      const list = yield* hub.events(host.id, Math.max(0, from), limit)
      if (output === "json") return yield* Console.log(JSON.stringify(list))
      yield* print(renderEvents(list, yield* Clock.currentTimeMillis, yield* colours))
    })
  )).pipe(Command.withDescription("What happened on a host, oldest first, as the hub keeps it"))

const command = felhom.pipe(
  Command.withSubcommands([
    loginCommand,
    hostsCommand,
    host,
    events,
    historyCommand,
    ...alarmCommands,
    ...trustCommands,
    revokeCommand,
    opCommand,
    ...opsCommands,
    signersCommand,
    goldenCommand,
    applyCommand,
    desiredCommand,
    schemaCommand,
    whyCommand,
    verifyCommand
  ])
)

/** 0: done; 1: failed, or a host needs attention; 2: the command line, the environment or a file named there is wrong. */
export type ExitCode = 0 | 1 | 2

/** Runs the command line, `argv` as Node gives it. Why it did not end with 0 is one sentence on stderr. */
export const run = (
  argv: ReadonlyArray<string>
): Effect.Effect<ExitCode, never, CliApp.CliApp.Environment | CommandExecutor.CommandExecutor | IsTerminal | Input> =>
  Either.mapLeft(spelledOut(argv), (detail) => new OperatorError({ reason: "usage", detail })).pipe(
    Effect.flatMap(Command.run(command, { name: "felhom", version, executable: "felhom" })),
    Effect.as(0 as const),
    Effect.catchAll((error) =>
      // A wrong command line was told already.
      ValidationError.isValidationError(error)
        ? Effect.succeed(2 as const)
        : Effect.as(Console.error(displayText(error.message)), error.reason === "usage" ? 2 as const : 1 as const)
    )
  )
