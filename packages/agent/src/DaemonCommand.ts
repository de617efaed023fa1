import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect, Option } from "effect"
import * as Daemon from "./Daemon.ts"
import { FolderLock } from "./FolderLock.ts"
import * as Live from "./Live.ts"
import { noDesk } from "./ops/OpDesk.ts"
import * as Settings from "./Settings.ts"
import { formatFor, inSettings, type Surroundings } from "./Surroundings.ts"

/** `felhom-agent daemon`, however its arguments were read. */
export const runDaemon = (
  surroundings: Surroundings,
  options: { readonly config: Option.Option<string>; readonly output: "text" | "json" }
) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const bootId = yield* Live.bootId
    const directory = yield* Settings.stateDirectory
    const lock = yield* FolderLock
    const places = {
      stateDirectory: directory,
      runtimeDirectory: yield* Settings.runtimeDirectory,
      ...yield* Settings.trustFiles,
      ...Option.match((yield* Settings.SettingsSource).credentials, {
        onNone: () => ({}),
        onSome: (credentials) => ({ credentials })
      }),
      bootId
    }
    // Loaded only once the first report is out, which waits for nothing that it does not need.
    const opened = Effect.flatMap(
      Effect.promise(() => import("./ops/OpsStart.ts")),
      ({ startOps }) => Effect.zipRight(lock.ensure, startOps(places))
    ).pipe(
      Effect.catchAll((error) => Effect.as(Effect.logError("no signed op is taken", error.message), noDesk))
    )
    return yield* Daemon.run({ node: client.node, bootId }, opened)
  }).pipe(
    Effect.scoped,
    Effect.provide(Live.daemon),
    inSettings(surroundings, options.config, options.output === "json" ? "json" : formatFor(surroundings))
  )
