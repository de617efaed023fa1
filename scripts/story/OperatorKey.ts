import { FileSystem } from "@effect/platform"
import { opNamespace } from "@felhom/domain/SignedOp"
import { Effect, Option } from "effect"
import { spawn } from "node:child_process"
import { StoryFailed } from "./StoryFailed.ts"

/** A key as an operator makes it. */
export interface OperatorKey {
  readonly file: string
  /** The line with which root of a host lets it sign. */
  readonly line: string
}

/** Of OpenSSH, if it is installed. */
const program = "ssh-keygen"

/** None where there is no ssh-keygen. */
const madeAt = (file: string): Effect.Effect<Option.Option<string>, StoryFailed> =>
  Effect.async((resume) => {
    const child = spawn(program, ["-q", "-t", "ed25519", "-N", "", "-C", "anna", "-f", file], {
      stdio: ["ignore", "ignore", "pipe"]
    })
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    child.on("error", () => resume(Effect.succeedNone))
    child.on("close", (code) =>
      resume(
        code === 0
          ? Effect.succeedSome(file)
          : new StoryFailed({ message: `ssh-keygen made no key, and ended with ${code}: ${said}` })
      ))
  })

/** Has ssh-keygen make a key in the folder; none where there is no ssh-keygen, with which operators sign. */
export const makeOperatorKey = (
  folder: string
): Effect.Effect<Option.Option<OperatorKey>, StoryFailed, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const made = yield* madeAt(`${folder}/anna`)
    if (Option.isNone(made)) return Option.none()
    const text = yield* Effect.mapError(
      fs.readFileString(`${made.value}.pub`),
      ({ message }) => new StoryFailed({ message: `the public half of the key can't be read: ${message}` })
    )
    const [type = "", key = ""] = text.split(" ")
    return Option.some({ file: made.value, line: `anna namespaces="${opNamespace}" ${type} ${key}` })
  })
