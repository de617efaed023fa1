import { Command, Options } from "@effect/cli"
import { Sha256Hex } from "@felhom/domain/Sha256"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { Effect, Layer, Schema } from "effect"
import * as Live from "../Live.ts"
import * as Settings from "../Settings.ts"
import { formatFor, type Surroundings, withSettings } from "../Surroundings.ts"
import { auditVerify } from "./AuditVerify.ts"

const config = Options.file("config").pipe(Options.optional, Options.withDescription("The config file"))

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

const entries = Options.integer("entries").pipe(
  Options.withSchema(Schema.NonNegativeInt),
  Options.optional,
  Options.withDescription("How many entries there were at least: shows those cut off at the end")
)

const head = Options.text("head").pipe(
  Options.withSchema(Sha256Hex),
  Options.optional,
  Options.withDescription("The SHA-256 of an entry that was seen before; with --entries, of the one of that number")
)

/** `felhom-agent audit`. */
export const makeAuditCommand = (surroundings: Surroundings) =>
  Command.make("audit").pipe(
    Command.withDescription("What this host did, in a chain that shows any later change"),
    Command.withSubcommands([
      Command.make("verify", { config, output, entries, head }, (options) =>
        Effect.flatMap(Settings.stateDirectory, (directory) =>
          auditVerify({ ...options, directory })).pipe(
            Effect.provide(
              Layer.mergeAll(
                NodeDurableFile.layer,
                Live.crypto,
                withSettings(surroundings, options.config, formatFor(surroundings))
              )
            )
          )).pipe(Command.withDescription("Exit 0 if the chain is whole, 1 and which entry if not; needs no daemon"))
    ])
  )
