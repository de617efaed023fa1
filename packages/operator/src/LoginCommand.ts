import { Command } from "@effect/cli"
import { layer as durableFile } from "@felhom/node/NodeDurableFile"
import { Effect } from "effect"
import { connectionOptions, hubAddress, readToken } from "./Connection.ts"
import * as HubReader from "./HubReader.ts"
import { Input } from "./Input.ts"
import { writeLogin } from "./LoginFile.ts"
import { felhom, print } from "./Root.ts"

const { fingerprint, hub } = connectionOptions

/** Keeps hub, fingerprint and token for later commands, once the hub has taken the token. */
export const loginCommand = Command.make("login", { hub, fingerprint }, (options) =>
  Effect.gen(function*() {
    const outer = yield* felhom
    const address = yield* hubAddress(options, outer)
    const input = yield* Input
    const token = yield* Effect.flatMap(input.secret("Your hub token"), readToken)
    yield* Effect.provide(
      Effect.flatMap(HubReader.HubReader, (reader) => reader.hosts),
      HubReader.layer({ ...address, token })
    )
    const path = yield* writeLogin({ hub: address.url.href, fingerprint: address.fingerprint, token })
    yield* print([`${address.url.origin} took the token; the login is kept in ${path}`])
  }).pipe(Effect.provide(durableFile))).pipe(
    Command.withDescription(
      "Keep the hub's address, its fingerprint and your token, read from stdin or asked for without echo"
    )
  )
