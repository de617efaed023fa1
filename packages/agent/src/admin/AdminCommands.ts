import { Args, Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { displayText } from "@felhom/domain/DisplayText"
import { SignedBytes } from "@felhom/domain/Envelope"
import { Console, Effect, type Option, Schema } from "effect"
import * as Settings from "../Settings.ts"
import { formatFor, type Surroundings, withSettings } from "../Surroundings.ts"
import type { AdminAnswer, AdminRequest } from "./AdminProtocol.ts"
import { askDaemon } from "./AskDaemon.ts"

/** The file is none that `felhom op --out` or a person wrote for this. */
export class OpFileError extends Schema.TaggedError<OpFileError>()("OpFileError", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}; it has to hold {"payload": BASE64, "signatures": [ARMORED, ...]}, and "document": BASE64 where the op needs one, as felhom op --out writes it`
  }
}

const config = Options.file("config").pipe(Options.optional, Options.withDescription("The config file"))

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

const longestFile = 1000 * 1024
const decodeSigned = Schema.decodeUnknown(Schema.parseJson(SignedBytes))

const readOp = (path: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const cannot = (error: { readonly message: string }) => new OpFileError({ path, detail: error.message })
    if ((yield* Effect.mapError(fs.stat(path), cannot)).size > BigInt(longestFile)) {
      return yield* new OpFileError({ path, detail: `it is longer than ${longestFile} bytes` })
    }
    const text = yield* Effect.mapError(fs.readFileString(path), cannot)
    return yield* Effect.mapError(decodeSigned(text), () => new OpFileError({ path, detail: "it is no signed op" }))
  })

const asText = ({ message, ops, trust }: AdminAnswer): string =>
  [
    ...(message === "" ? [] : [message]),
    ...(ops ?? []).flatMap(({ acceptedAt, op, stage, waitsFor, words }) => [
      `${stage.padEnd(8)}  ${new Date(acceptedAt).toISOString()}  ${op?.slice(0, 16) ?? "?"}  ${words}`,
      ...(waitsFor === undefined ? [] : [`          ${displayText(waitsFor)}`])
    ]),
    ...(trust === undefined ? [] : [
      `an op for this host names host ${trust.host}, hostEpoch ${trust.hostEpoch}, storeSeqMin ${trust.storeSeq}` +
      (trust.hold === null ? "" : `; it is held since ${trust.hold} (${new Date(trust.hold).toISOString()})`),
      ...(["signers", "policy", "desired"] as const).flatMap((what) =>
        trust[what] === undefined ? [] : [`${what.padEnd(8)}  expect ${JSON.stringify(trust[what])}`]
      )
    ])
  ].join("\n")

/** `felhom-agent ops` and `felhom-agent hold`: what root asks of the daemon that runs. */
export const makeAdminCommands = (surroundings: Surroundings) => {
  const ask = (
    request: AdminRequest,
    options: { readonly config: Option.Option<string>; readonly output: "text" | "json" }
  ) =>
    Effect.flatMap(Settings.runtimeDirectory, (directory) => askDaemon(directory, request)).pipe(
      Effect.tap((answer) => Console.log(options.output === "json" ? JSON.stringify(answer) : asText(answer))),
      Effect.provide(withSettings(surroundings, options.config, formatFor(surroundings)))
    )

  const accept = Command.make(
    "accept",
    { config, output, file: Args.file({ name: "file", exists: "yes" }) },
    (options) => Effect.flatMap(readOp(options.file), (signed) => ask({ ask: "ops.accept", signed }, options))
  ).pipe(Command.withDescription("Give the daemon a signed op from a file, without any hub; exit 1 if it refuses"))

  const list = Command.make("list", { config, output }, (options) => ask({ ask: "ops.list" }, options)).pipe(
    Command.withDescription("Signed ops that are under way or wait")
  )

  const hold = Command.make(
    "hold",
    {
      config,
      output,
      reason: Options.text("reason").pipe(
        Options.withDefault("no reason given"),
        Options.withDescription("Shown in the report, and kept in the audit chain")
      ),
      release: Options.boolean("release").pipe(Options.withDescription("Let new work begin again"))
    },
    (options) => ask({ ask: options.release ? "hold.release" : "hold.set", reason: options.reason }, options)
  ).pipe(
    Command.withDescription(
      "Begin nothing new on this host until it is released; what runs goes on, the hub can't lift it"
    )
  )

  const ops = Command.make("ops").pipe(
    Command.withDescription("Operators' signed ops on this host"),
    Command.withSubcommands([accept, list])
  )

  return { hold, ops }
}
