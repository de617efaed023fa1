import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Effect, Option, Redacted, Schema } from "effect"
import { configFolder } from "./ConfigFolder.ts"
import { OperatorError } from "./OperatorError.ts"

/** What `felhom login` keeps, readable by its owner only. */
export const Login = Schema.Struct({
  hub: Schema.String,
  fingerprint: Schema.String,
  token: Schema.Redacted(Schema.String)
})
export type Login = typeof Login.Type

const LoginJson = Schema.parseJson(Login)

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const file = Effect.map(configFolder, Option.map((folder) => `${folder}/config.json`))

/** What was kept at the last login; none when there was none. */
export const readLogin: Effect.Effect<Option.Option<Login>, OperatorError, DurableFile> = Effect.gen(function*() {
  const path = yield* file
  if (Option.isNone(path)) return Option.none()
  const files = yield* DurableFile
  const found = yield* Effect.mapError(files.read(path.value), ({ message }) => usage(message))
  return yield* Effect.transposeMapOption(found, (bytes) =>
    Effect.mapError(
      Schema.decode(LoginJson)(new TextDecoder().decode(bytes)),
      // The decoder's own words would quote the file, and with it the token.
      () => usage(`${path.value} does not read as what felhom login writes; log in again`)
    ))
})

/** Keeps a login, over any that was there. The path, for the person to know. */
export const writeLogin = (login: Login): Effect.Effect<string, OperatorError, DurableFile> =>
  Effect.gen(function*() {
    const path = yield* Effect.flatMap(
      file,
      Option.match({
        onNone: () => Effect.fail(usage("there is no place to keep a login: set HOME or XDG_CONFIG_HOME")),
        onSome: Effect.succeed
      })
    )
    const files = yield* DurableFile
    const text = JSON.stringify({ hub: login.hub, fingerprint: login.fingerprint, token: Redacted.value(login.token) })
    yield* Effect.mapError(files.replace(path, new TextEncoder().encode(`${text}\n`)), ({ message }) => usage(message))
    return path
  })
