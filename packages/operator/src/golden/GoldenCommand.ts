import { Args, Command, Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import { type GoldenManifest, goldenNamespace } from "@felhom/domain/GoldenManifest"
import { Console, Effect, Encoding, Option } from "effect"
import { moment, quoted, row } from "../DisplayLines.ts"
import { approvalOptions, meant } from "../OpApproval.ts"
import { OperatorError } from "../OperatorError.ts"
import { writeOpFile } from "../OpFile.ts"
import { colours, output, print } from "../Root.ts"
import { sign, signedWith, signingKey } from "../SshKeygen.ts"
import { type Cell, paint, toned } from "../Table.ts"
import { readGoldenFile } from "./GoldenFile.ts"

const gib = (bytes: number): string =>
  bytes < 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(1)} MiB` : `${(bytes / 1024 ** 3).toFixed(1)} GiB`

/** All that the manifest says: what is left out would be signed unseen. */
const manifestWords = (
  { builtAt, bytes, config, host, name, size, template, version, volid }: GoldenManifest
): ReadonlyArray<Cell> => [
  toned("bad", `NEW GUESTS of every host that accepts this are made from ${name} version ${version}.`),
  row("archive", quoted(volid)),
  row("size", `${gib(size)} (${size} bytes)`),
  "sha256" in bytes
    ? row("SHA-256", bytes.sha256)
    : toned("warning", row("SHA-256", `NONE: nobody could read its bytes: ${displayText(bytes.unread)}`)),
  row("made from", quoted(template)),
  row("built", `${moment(builtAt)}, on the host ${host}`),
  row("its config", ""),
  ...config.split("\n").filter((line) => line !== "").map((line) => row("", displayText(line)))
]

const file = Args.text({ name: "file" }).pipe(
  Args.withDescription("What felhom-agent golden draft wrote, or what somebody signed already")
)

const show = Command.make("show", { file, output }, ({ file, output }) =>
  Effect.gen(function*() {
    const { bytes, manifest, signatures } = yield* readGoldenFile(file)
    const keys = yield* Effect.forEach(signatures, (one) => signedWith(one, bytes, goldenNamespace))
    if (output === "json") return yield* Console.log(JSON.stringify({ manifest, keys }))
    const tone = yield* colours
    yield* print([
      ...manifestWords(manifest).map((line) => paint(line, tone)),
      row("signed by", keys.length === 0 ? "nobody" : keys.join(", "))
    ])
  })).pipe(Command.withDescription("What a golden image's manifest says, and which keys have signed it"))

const signCommand = Command.make(
  "sign",
  {
    file,
    key: approvalOptions.key,
    yesIMean: Options.text("yes-i-mean").pipe(
      Options.optional,
      Options.withDescription("For scripts: what would be typed to confirm, NAME VERSION")
    ),
    out: Options.text("out").pipe(
      Options.optional,
      Options.withDescription("Where the signed manifest goes; without it, FILE.signed")
    )
  },
  ({ file, key, out, yesIMean }) =>
    Effect.gen(function*() {
      const { bytes, manifest, signatures } = yield* readGoldenFile(file)
      const before = yield* Effect.forEach(signatures, (one) => signedWith(one, bytes, goldenNamespace))
      yield* meant(manifestWords(manifest), [`${manifest.name} ${manifest.version}`], yesIMean)
      const { fingerprint, signature } = yield* sign(yield* signingKey(key), bytes, goldenNamespace)
      if (before.includes(fingerprint)) {
        return yield* new OperatorError({ reason: "usage", detail: `${file}: ${fingerprint} has signed it already` })
      }
      const path = Option.getOrElse(out, () => signatures.length > 0 ? file : `${file}.signed`)
      const payload = Encoding.encodeBase64(bytes)
      yield* writeOpFile(path, { payload, signatures: [...signatures, signature] })
      yield* print([
        `signed ${manifest.name} version ${manifest.version} with ${fingerprint}; ` +
        `on each host that is to use it: felhom-agent golden accept ${path}`
      ])
    })
).pipe(
  Command.withDescription("Look at a golden image's manifest and sign it with ssh-keygen; needs no hub")
)

/** `felhom golden`: what operators sign for images that new guests are made from. */
export const goldenCommand = Command.make("golden").pipe(
  Command.withDescription("Manifests of golden images: what new guests are made from"),
  Command.withSubcommands([signCommand, show])
)
