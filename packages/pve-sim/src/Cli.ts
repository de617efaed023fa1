import { Args, type CliApp, Command, Options, ValidationError } from "@effect/cli"
import { version } from "@felhom/domain/Version"
import { Cause, Console, Data, Effect, Exit } from "effect"
import { conform } from "./conform/Conform.ts"
import type { ScenarioError } from "./conform/Recording.ts"
import type { ListenFailed } from "./Listening.ts"
import { parseAddress, parseNode, parseNodes, parsePrivileges, parseSpeed, serve, type ServeRefused } from "./Serve.ts"
import type { WorldError } from "./World.ts"

const options = {
  listen: Options.text("listen").pipe(
    Options.withDescription("where the Proxmox VE API answers"),
    Options.withDefault("127.0.0.1:8006")
  ),
  control: Options.text("control").pipe(
    Options.withDescription(
      "where the control port listens, on loopback; port 0 takes a free one, told in the first line"
    ),
    Options.withDefault("127.0.0.1:0")
  ),
  speed: Options.float("speed").pipe(
    Options.withDescription("how many times faster than a real host tasks and delays pass"),
    Options.withDefault(1)
  ),
  world: Options.text("world").pipe(
    Options.withDescription("a file with the host's state; without it, the recorded host demo-felhom"),
    Options.optional
  ),
  tokens: Options.text("tokens").pipe(
    Options.withDescription("a file with a JSON object, token id to secret; without it, secrets are made up and told"),
    Options.optional
  ),
  faults: Options.text("faults").pipe(
    Options.withDescription("a file with rules of what goes wrong, and when"),
    Options.optional
  ),
  rootSockets: Options.text("root-sockets").pipe(
    Options.withDescription(
      "a folder where the host's root helpers answer, too; an agent looks for them beside its runtime folder, in RUNTIME-root"
    ),
    Options.optional
  ),
  seed: Options.integer("seed").pipe(
    Options.withDescription("decides what is left to chance; without --faults also what goes wrong"),
    Options.optional
  ),
  node: Options.text("node").pipe(Options.withDescription("what the node is called"), Options.optional),
  nodes: Options.integer("nodes").pipe(
    Options.withDescription("how many nodes its cluster has; 1 is no cluster"),
    Options.withDefault(1)
  ),
  privileges: Options.text("privileges").pipe(
    Options.withDescription("privileges of the role FelhomAgent: a list, agent (the 16 it needs), or recorded"),
    Options.withDefault("agent")
  )
}

const serveCommand = Command.make("serve", options, (given) =>
  Effect.gen(function*() {
    return yield* serve({
      listen: yield* parseAddress("--listen", given.listen),
      control: yield* parseAddress("--control", given.control),
      speed: yield* parseSpeed(given.speed),
      world: given.world,
      tokens: given.tokens,
      faults: given.faults,
      rootSockets: given.rootSockets,
      seed: given.seed,
      node: yield* parseNode(given.node),
      nodes: yield* parseNodes(given.nodes),
      privileges: yield* parsePrivileges(given.privileges)
    })
  })).pipe(Command.withDescription("Runs a simulated host until it is stopped"))

class Unlike extends Data.TaggedError("Unlike")<{ readonly message: string }> {}

const conformCommand = Command.make(
  "conform",
  { folder: Args.directory({ name: "folder" }) },
  ({ folder }) =>
    Effect.filterOrFail(
      conform(folder),
      (all) => all,
      () => new Unlike({ message: "the simulator differs from the recorded host" })
    )
).pipe(Command.withDescription("Plays exchanges recorded from a real host, and prints what differs"))

const command = Command.make("pve-sim").pipe(
  Command.withDescription("A simulator of the Proxmox VE 9.2 API"),
  Command.withSubcommands([serveCommand, conformCommand])
)

/** 0: done, or stopped when asked to; 1: failed; 2: called wrongly. */
export type ExitCode = 0 | 1 | 2

/** What a run's end means to the shell. An interrupt is how a simulator is meant to end. */
export const exitCodeOf = (exit: Exit.Exit<unknown, unknown>): ExitCode =>
  Exit.match(exit, {
    onSuccess: (code) => code === 1 || code === 2 ? code : 0,
    onFailure: (cause) => Cause.isInterruptedOnly(cause) ? 0 : 1
  })

// A port that is taken is the machine's fault, everything else that stops a start was asked for.
const isWrongCall = (error: ServeRefused | WorldError | ListenFailed | ScenarioError | Unlike): boolean =>
  error._tag === "ListenFailed"
    ? error.reason === "not-loopback"
    : error._tag !== "Unlike" && error._tag !== "ScenarioError"

/**
 * Runs the command line, `argv` as Node gives it; why it failed is one sentence on stderr.
 */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<ExitCode, never, CliApp.CliApp.Environment> =>
  Command.run(command, { name: "pve-sim", version, executable: "pve-sim" })(argv).pipe(
    Effect.as(0 as const),
    Effect.catchAll((error) =>
      // The command line's own errors have been told by then.
      ValidationError.isValidationError(error)
        ? Effect.succeed(2 as const)
        : Effect.as(Console.error(error.message), isWrongCall(error) ? 2 as const : 1 as const)
    )
  )
