import { Args, Command, Options } from "@effect/cli"
import { DiskName } from "@felhom/domain/HostStoragePolicy"
import { Clock, Console, Effect, type Option } from "effect"
import type { AdminAnswer, AdminRequest } from "../admin/AdminProtocol.ts"
import { askDaemon } from "../admin/AskDaemon.ts"
import * as Settings from "../Settings.ts"
import { formatFor, type Surroundings, withSettings } from "../Surroundings.ts"
import { disksText, healthText } from "./DiskText.ts"

const config = Options.file("config").pipe(Options.optional, Options.withDescription("The config file"))

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

const asText = ({ disks, health, message }: AdminAnswer, now: number): string =>
  [
    ...(message === "" ? [] : [message]),
    ...(disks === undefined ? [] : disksText(disks, now)),
    ...(health === undefined ? [] : healthText(health, now))
  ].join("\n")

/** What is not yet written to a slow stick takes minutes to get there, and each of several dying disks its ten seconds. */
const patience = "6 minutes"

/** `felhom-agent disks` and `felhom-agent health`: what root asks of the daemon that runs. */
export const makeDisksCommands = (surroundings: Surroundings) => {
  const ask = (
    request: AdminRequest,
    options: { readonly config: Option.Option<string>; readonly output: "text" | "json" }
  ) =>
    Effect.gen(function*() {
      const answer = yield* askDaemon(yield* Settings.runtimeDirectory, request, patience)
      const now = yield* Clock.currentTimeMillis
      yield* Console.log(options.output === "json" ? JSON.stringify(answer) : asText(answer, now))
    }).pipe(Effect.provide(withSettings(surroundings, options.config, formatFor(surroundings))))

  const list = Command.make("list", { config, output }, (options) => ask({ ask: "disks.list" }, options)).pipe(
    Command.withDescription("What is plugged in, what of it would be refused and why, and how the policy's sets are")
  )

  const eject = Command.make(
    "eject",
    {
      config,
      output,
      name: Args.text({ name: "name" }).pipe(
        Args.withSchema(DiskName),
        Args.withDescription("The set's name in the host's policy, or the disk's")
      )
    },
    (options) => ask({ ask: "disks.eject", name: options.name }, options)
  ).pipe(
    Command.withDescription("Take a disk out of use, so that it may be unplugged; exit 1 while something uses it")
  )

  const adopt = Command.make(
    "adopt",
    {
      config,
      output,
      disk: Args.text({ name: "disk" }).pipe(
        Args.withSchema(DiskName),
        Args.withDescription("The disk's name in the host's policy")
      )
    },
    (options) => ask({ ask: "disks.adopt", disk: options.disk }, options)
  ).pipe(
    Command.withDescription(
      "Take a disk as it is, though its mark is another host's or gone; look at what is on it first"
    )
  )

  const disks = Command.make("disks", { config, output }, (options) => ask({ ask: "disks.list" }, options)).pipe(
    Command.withDescription("Disks that are plugged in, and the sets of disks of the host's policy"),
    Command.withSubcommands([list, eject, adopt])
  )

  const health = Command.make(
    "health",
    {
      config,
      output,
      now: Options.boolean("now").pipe(
        Options.withDescription("Ask the disks once more first; one that sleeps is not woken")
      )
    },
    (options) => ask({ ask: "health.show", now: options.now }, options)
  ).pipe(Command.withDescription("How this host's disks, sensors and storages are, the worst first"))

  return { disks, health }
}
