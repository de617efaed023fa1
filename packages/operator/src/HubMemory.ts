import type { HubHealth } from "@felhom/domain/HubApi"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Effect, Option, Schema } from "effect"
import { configFolder } from "./ConfigFolder.ts"
import { OperatorError } from "./OperatorError.ts"

/** Which incarnation of each hub's store this person saw last, by the hub's origin. */
const Memory = Schema.parseJson(Schema.Struct({ hubs: Schema.Record({ key: Schema.String, value: Schema.String }) }))

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const file = Effect.map(configFolder, Option.map((folder) => `${folder}/known-hubs.json`))

const minute = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`

const changed = (origin: string, { backupMadeAt, restoredAt }: HubHealth): string => {
  const what = restoredAt === undefined || backupMadeAt === undefined
    ? "was set up anew, or is another hub behind the same address"
    : `was restored at ${minute(restoredAt)} from a backup of ${minute(backupMadeAt)}`
  return `NOTE: hub ${origin} has another store than when you last asked it: it ${what}. It does not know what happened ` +
    "after that. Tokens that were revoked since may be live again, and hosts that were let in since are unknown: look " +
    "through felhom tokens, felhom hosts and felhom waiting. The host keys that you pinned here stay pinned. This is said once"
}

/** Remembers the hub's store, and says once when it is another one than before; none when it is the same, or new to us. */
export const noticeStore = (
  origin: string,
  health: HubHealth
): Effect.Effect<Option.Option<string>, OperatorError, DurableFile> =>
  Effect.gen(function*() {
    const path = yield* file
    // Nobody who has no folder can be reminded of anything.
    if (Option.isNone(path)) return Option.none()
    const files = yield* DurableFile
    const found = yield* Effect.mapError(files.read(path.value), ({ message }) => usage(message))
    const { hubs } = yield* Option.match(found, {
      onNone: () => Effect.succeed({ hubs: {} as { readonly [origin: string]: string } }),
      onSome: (bytes) =>
        Effect.mapError(
          Schema.decode(Memory)(new TextDecoder().decode(bytes)),
          () => usage(`${path.value} does not read; move it away, and each hub counts as new`)
        )
    })
    const before = hubs[origin]
    if (before === health.storeEpoch) return Option.none()
    const text = `${JSON.stringify({ hubs: { ...hubs, [origin]: health.storeEpoch } })}\n`
    yield* Effect.mapError(files.replace(path.value, new TextEncoder().encode(text)), ({ message }) => usage(message))
    return before === undefined ? Option.none() : Option.some(changed(origin, health))
  })
