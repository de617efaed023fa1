import { Command, Options } from "@effect/cli"
import { layer as durableFile } from "@felhom/node/NodeDurableFile"
import { Config, Console, Context, Effect, Option } from "effect"
import { type Connection, connection, type ConnectionOptions, connectionOptions } from "./Connection.ts"
import * as HubAdmin from "./HubAdmin.ts"
import * as HubDesired from "./HubDesired.ts"
import { noticeStore } from "./HubMemory.ts"
import * as HubOps from "./HubOps.ts"
import * as HubReader from "./HubReader.ts"
import * as HubSigners from "./HubSigners.ts"

/** Whether stdout is a terminal that a person looks at. */
export class IsTerminal extends Context.Tag("felhom/operator/IsTerminal")<IsTerminal, boolean>() {}

export const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDescription("text for people, json for programs"),
  Options.withDefault("text")
)

export const felhom = Command.make("felhom", connectionOptions).pipe(
  Command.withDescription("See what the hosts say, through their hub, let hosts in, and sign what destroys")
)

/** Colours for a person at a terminal who did not ask to be spared (no-color.org: NO_COLOR with any value but none). */
export const colours = Effect.gen(function*() {
  const isTerminal = yield* IsTerminal
  const noColor = yield* Effect.orDie(Config.withDefault(Config.string("NO_COLOR"), ""))
  return isTerminal && noColor === ""
})

export const print = (lines: ReadonlyArray<string>): Effect.Effect<void> => Console.log(lines.join("\n"))

const checked = (options: ConnectionOptions) =>
  Effect.flatMap(felhom, (outer) => Effect.provide(connection(options, outer), durableFile))

/** Says once when the hub's store is another one than before. What the hub can't say, the command itself will find out. */
const withMemory = (hub: Connection) =>
  Effect.gen(function*() {
    const reader = yield* HubReader.HubReader
    const health = yield* Effect.option(reader.health)
    if (Option.isNone(health)) return
    const note = yield* Effect.provide(noticeStore(hub.url.origin, health.value), durableFile)
    if (Option.isSome(note)) yield* Console.error(note.value)
  })

/** Runs what only looks, over the hub that flags, environment or login name. */
export const withHub = <A, E, R>(options: ConnectionOptions, use: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    checked(options),
    (hub) => Effect.provide(Effect.zipRight(withMemory(hub), use), HubReader.layer(hub))
  )

/** The same, for what changes something, too. */
export const withAdmin = <A, E, R>(options: ConnectionOptions, use: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    checked(options),
    (hub) => Effect.provide(Effect.zipRight(withMemory(hub), use), [HubReader.layer(hub), HubAdmin.layer(hub)])
  )

/** The same, for what hosts are wished to be, and what became of it. */
export const withDesired = <A, E, R>(options: ConnectionOptions, use: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    checked(options),
    (hub) => Effect.provide(Effect.zipRight(withMemory(hub), use), [HubReader.layer(hub), HubDesired.layer(hub)])
  )

/** The same, for what people sign: ops, and lists of signers. */
export const withOps = <A, E, R>(options: ConnectionOptions, use: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    checked(options),
    (hub) =>
      Effect.provide(Effect.zipRight(withMemory(hub), use), [
        HubReader.layer(hub),
        HubOps.layer(hub),
        HubSigners.layer(hub)
      ])
  )
