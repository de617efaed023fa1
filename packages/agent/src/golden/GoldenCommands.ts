import { Args, Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { displayText } from "@felhom/domain/DisplayText"
import { GoldenName, GoldenVersion } from "@felhom/domain/GoldenManifest"
import { GoldenOrder } from "@felhom/reconciler/golden/GoldenBuilds"
import { Console, type Duration, Effect, Option, Schema } from "effect"
import type { AdminAnswer, AdminRequest } from "../admin/AdminProtocol.ts"
import { askDaemon } from "../admin/AskDaemon.ts"
import * as Settings from "../Settings.ts"
import { formatFor, type Surroundings, withSettings } from "../Surroundings.ts"
import { GoldenFileError } from "./GoldenFileError.ts"

const config = Options.file("config").pipe(Options.optional, Options.withDescription("The config file"))

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

const name = Args.text({ name: "name" }).pipe(
  Args.withSchema(GoldenName),
  Args.withDescription("What the image is called, such as debian-13")
)

const { backupStorage, bridge, cores, firstBootMinutes, memoryMiB, rootGiB, storage, template } = GoldenOrder.fields

const number = <A extends number>(
  option: string,
  usual: A,
  schema: Schema.Schema<A, number>,
  words: string
) =>
  Options.integer(option).pipe(Options.withSchema(schema), Options.withDefault(usual), Options.withDescription(words))

const orderOptions = {
  template: Options.text("template").pipe(
    Options.withSchema(template),
    Options.withDescription("The template to build it from, STORAGE:vztmpl/FILE; scripts/build-template makes one")
  ),
  storage: Options.text("storage").pipe(
    Options.withSchema(storage),
    Options.withDescription("Where the container's root volume is made; it is removed again in the end")
  ),
  backupStorage: Options.text("backup-storage").pipe(
    Options.withSchema(backupStorage),
    Options.withDescription("Where the archive is written, which is the image")
  ),
  version: Options.integer("version").pipe(
    Options.withSchema(GoldenVersion),
    Options.optional,
    Options.withDescription("Without it, one above the highest that this host knows")
  ),
  rootGiB: number("root-gib", 8, rootGiB, "GiB of the root volume; a guest made from the image may have more"),
  cores: number("cores", 1, cores, "While it is built, and of a guest that is wished for without"),
  memoryMiB: number("memory", 512, memoryMiB, "MiB, likewise"),
  bridge: Options.text("bridge").pipe(
    Options.withSchema(bridge),
    Options.withDefault("vmbr0"),
    Options.withDescription("Where it asks for an address while it is built")
  ),
  firstBootMinutes: number("first-boot-minutes", 30, firstBootMinutes, "How long its first boot may take at most")
}

const longestFile = 1000 * 1024

const Signed = Schema.parseJson(
  Schema.Struct({ payload: Schema.String, signatures: Schema.Array(Schema.String) })
)
const decodeSigned = Schema.decodeUnknown(Signed)

const readSigned = (path: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const cannot = (error: { readonly message: string }) => new GoldenFileError({ path, detail: error.message })
    if ((yield* Effect.mapError(fs.stat(path), cannot)).size > BigInt(longestFile)) {
      return yield* new GoldenFileError({ path, detail: `it is longer than ${longestFile} bytes` })
    }
    const text = yield* Effect.mapError(fs.readFileString(path), cannot)
    return yield* Effect.mapError(
      decodeSigned(text),
      () => new GoldenFileError({ path, detail: "it is no signed manifest" })
    )
  })

const asText = ({ golden, message }: AdminAnswer): string =>
  [
    ...(message === "" ? [] : [displayText(message)]),
    ...(golden ?? []).flatMap(({ name, state, version, volid, words }) => [
      `${name.padEnd(16)}  ${String(version).padStart(3)}  ${state.padEnd(12)}  ${volid ?? "no archive yet"}`,
      `${" ".repeat(23)}${displayText(words)}`
    ])
  ].join("\n")

/** `felhom-agent golden`: what root asks of the daemon about golden images. */
export const makeGoldenCommand = (surroundings: Surroundings) => {
  const asked = (
    request: AdminRequest,
    options: { readonly config: Option.Option<string> },
    patience?: Duration.DurationInput
  ) =>
    Effect.flatMap(Settings.runtimeDirectory, (directory) => askDaemon(directory, request, patience)).pipe(
      Effect.provide(withSettings(surroundings, options.config, formatFor(surroundings)))
    )
  const ask = (
    request: AdminRequest,
    options: { readonly config: Option.Option<string>; readonly output: "text" | "json" },
    patience?: Duration.DurationInput
  ) =>
    Effect.flatMap(
      asked(request, options, patience),
      (answer) => Console.log(options.output === "json" ? JSON.stringify(answer) : asText(answer))
    )

  const build = Command.make(
    "build",
    { config, output, name, ...orderOptions },
    ({ config, name, output, version, ...order }) =>
      ask({ ask: "golden.build", order: { ...order, name, version: Option.getOrNull(version) } }, { config, output })
  ).pipe(
    Command.withDescription("Begin to build one: a container from a template, its first boot, and its archive")
  )

  const list = Command.make("list", { config, output }, (options) => ask({ ask: "golden.list" }, options)).pipe(
    Command.withDescription("Golden images that were accepted here, and how far builds have come")
  )

  const draft = Command.make("draft", {
    config,
    name,
    out: Options.text("out").pipe(
      Options.optional,
      Options.withDescription("Write it to this file, exactly as it has to be signed")
    )
  }, ({ config, name, out }) =>
    Effect.gen(function*() {
      const { draft = "" } = yield* asked({ ask: "golden.draft", name }, { config })
      if (Option.isNone(out)) return yield* Console.log(draft.trimEnd())
      const fs = yield* FileSystem.FileSystem
      yield* Effect.mapError(
        fs.writeFileString(out.value, draft),
        ({ message }) => new GoldenFileError({ path: out.value, detail: message })
      )
      yield* Console.log(`the manifest is in ${out.value}; an operator signs it: felhom golden sign ${out.value}`)
    })).pipe(Command.withDescription("Print the manifest of an image that was built here, for operators to sign"))

  const accept = Command.make(
    "accept",
    { config, output, file: Args.file({ name: "file", exists: "yes" }) },
    ({ file, ...options }) =>
      Effect.flatMap(readSigned(file), (signed) => ask({ ask: "golden.accept", signed }, options))
  ).pipe(Command.withDescription("Take a manifest that operators signed, as felhom golden sign writes it"))

  const verify = Command.make(
    "verify",
    { config, output, name },
    ({ name, ...options }) => ask({ ask: "golden.verify", name }, options, "2 hours")
  ).pipe(
    Command.withDescription("Read the whole archive and hold it against what was signed; exit 1 if it is not that")
  )

  const resume = Command.make(
    "resume",
    { config, output, name },
    ({ name, ...options }) => ask({ ask: "golden.resume", name }, options)
  ).pipe(Command.withDescription("Go on with a build that was held up"))

  const discard = Command.make(
    "discard",
    { config, output, name },
    ({ name, ...options }) => ask({ ask: "golden.discard", name }, options, "10 minutes")
  ).pipe(Command.withDescription("Remove what a build has left, and forget it; its archive stays"))

  return Command.make("golden").pipe(
    Command.withDescription("Images that new guests are made from: build them, and take what operators signed"),
    Command.withSubcommands([build, list, draft, accept, verify, resume, discard])
  )
}
