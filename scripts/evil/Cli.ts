import { type CliApp, Command, Options, ValidationError } from "@effect/cli"
import type { FileSystem, HttpClient } from "@effect/platform"
import { version } from "@felhom/domain/Version"
import { Cause, Console, Data, Effect, Exit, Option } from "effect"
import { performed } from "../story/Perform.ts"
import { acts } from "./Acts.ts"
import type { Named } from "./Attack.ts"
import { campaign } from "./Campaign.ts"
import { attackReal, playableOnRealHosts } from "./RealAgent.ts"

/** The command line asks for what there is not. */
class Usage extends Data.TaggedError("Usage")<{ readonly message: string }> {}

/** It was played, and told; something went through. */
class Failed extends Data.TaggedError("Failed") {}

const all: ReadonlyArray<Named> = acts.flatMap(({ attacks }) => attacks)

const only = Options.text("only").pipe(
  Options.repeated,
  Options.withDescription(
    "Only attacks with this in their name; may be given several times. evil-hub list tells the names"
  )
)

type Wanted = (attack: Named) => boolean

const wantedBy = (texts: ReadonlyArray<string>): Effect.Effect<Wanted, Usage> => {
  const has = (text: string) => ({ name }: Named) => name.toLowerCase().includes(text.toLowerCase())
  const without = texts.find((text) => !all.some(has(text)))
  return without === undefined
    ? Effect.succeed((attack) => texts.length === 0 || texts.some((text) => has(text)(attack)))
    : new Usage({ message: `no attack has ${JSON.stringify(without)} in its name; evil-hub list tells all of them` })
}

const played = (performance: Parameters<typeof performed>[1]) =>
  Effect.mapError(performed("The evil hub", performance), () => new Failed())

const list = Command.make(
  "list",
  {
    output: Options.choice("output", ["text", "json"]).pipe(
      Options.withDefault("text"),
      Options.withDescription("text for people, json for programs")
    )
  },
  ({ output }) => {
    const hands = new Set(playableOnRealHosts.no.map(({ name }) => name))
    const rows = all.map(({ invariant, name }) => ({ name, invariant, simulator: hands.has(name) }))
    return Console.log(
      output === "json"
        ? JSON.stringify(rows, null, 2)
        : [
          ...rows.map(({ invariant, name, simulator }) =>
            `${simulator ? "simulator" : "any host "}  ${name}\n             ${invariant}`
          ),
          `${all.length} attacks; ${all.length - hands.size} of them can be played on a real host`
        ].join("\n")
    )
  }
).pipe(Command.withDescription("Every attack, what would be broken if it went through, and where it can be played"))

const address = (text: string): Effect.Effect<{ readonly host: string; readonly port: number }, Usage> => {
  const [, host = "", port = ""] = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/.exec(text) ?? []
  return host === "" || Number(port) > 65_535
    ? new Usage({ message: `--listen ${text}: it has to be HOST:PORT, such as 0.0.0.0:8443` })
    : Effect.succeed({ host: host.replace(/^\[|\]$/g, ""), port: Number(port) })
}

const real = Command.make(
  "real",
  {
    listen: Options.text("listen").pipe(
      Options.withDefault("127.0.0.1:0"),
      Options.withDescription("Where the agent reaches this hub, HOST:PORT; port 0 takes a free one")
    ),
    url: Options.text("url").pipe(
      Options.optional,
      Options.withDescription("The address that the agent is told, if it is another: https://NAME:PORT")
    ),
    guest: Options.integer("guest").pipe(
      Options.withDescription(
        "The number of a running guest that may be stopped hard; the host needs another one beside it"
      )
    ),
    folder: Options.text("folder").pipe(
      Options.withDescription(
        "A new folder, for the allow-list, revocation list and policy that the agent is given for the drill"
      )
    ),
    only
  },
  ({ folder, guest, listen, only, url }) =>
    Effect.gen(function*() {
      const wanted = yield* wantedBy(only)
      if (!playableOnRealHosts.yes.some(wanted)) {
        return yield* new Usage({
          message: "none of these can be played on a real host; evil-hub list tells which can"
        })
      }
      const at = yield* address(listen)
      yield* played((step) => attackReal(step, { ...at, url: Option.getOrUndefined(url), vmid: guest, folder, wanted }))
    })
).pipe(
  Command.withDescription(
    "Take the place of a real agent's hub: prints what to configure there, and plays what takes nobody at the host"
  )
)

const command = Command.make("evil-hub", { only }, ({ only }) =>
  Effect.gen(function*() {
    const wanted = yield* wantedBy(only)
    yield* played((step) => campaign(step, acts, { wanted, tell: Console.log }))
  })).pipe(
    Command.withDescription(
      "A hub that was taken over, against real agents on simulated hosts: plays every attack, and counts what was refused. " +
        "Without a command it plays all of them, or those of --only: some minutes, on this machine alone, with nothing to set " +
        "up. Exits 0 when the agents refused all of it, 1 when something went through, 2 when the command line is wrong"
    ),
    Command.withSubcommands([list, real])
  )

/** 0: all were refused; 1: one was not; 2: the command line is wrong. */
type ExitCode = 0 | 1 | 2

export const run = (
  argv: ReadonlyArray<string>
): Effect.Effect<ExitCode, never, CliApp.CliApp.Environment | FileSystem.FileSystem | HttpClient.HttpClient> =>
  Command.run(command, { name: "evil-hub", version, executable: "evil-hub" })(argv).pipe(
    Effect.as(0 as const),
    Effect.catchAll((error) =>
      // What was played was told already, and so was a wrong command line.
      ValidationError.isValidationError(error)
        ? Effect.succeed(2 as const)
        : error._tag === "Usage"
        ? Effect.as(Console.error(error.message), 2 as const)
        : Effect.succeed(1 as const)
    )
  )

/** What a run's end means to the shell. An interrupt is a stop that was asked for. */
export const exitCodeOf = (exit: Exit.Exit<unknown, unknown>): ExitCode =>
  Exit.match(exit, {
    onSuccess: (code) => code === 1 || code === 2 ? code : 0,
    onFailure: (cause) => Cause.isInterruptedOnly(cause) ? 0 : 1
  })
