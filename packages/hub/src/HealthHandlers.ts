import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { HubApi } from "@felhom/domain/HubApi"
import { EpochMillis } from "@felhom/domain/Time"
import { version } from "@felhom/domain/Version"
import { Effect, type Layer, Schema } from "effect"
import { Database } from "./Database.ts"
import { Outbox } from "./Outbox.ts"
import { StoreEpoch } from "./StoreEpoch.ts"
import { unavailable } from "./Unavailable.ts"

const Origin = Schema.Struct({
  restoredAt: Schema.NullOr(EpochMillis),
  backupMadeAt: Schema.NullOr(EpochMillis)
})

/** What the hub says of itself to whoever asks, token or not: nothing that tells of hosts. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"felhom-hub", "health">,
  never,
  StoreEpoch | Outbox | Database
> = HttpApiBuilder.group(HubApi, "health", (handlers) =>
  Effect.gen(function*() {
    const storeEpoch = yield* StoreEpoch
    const outbox = yield* Outbox
    const { read, sql } = yield* Database
    const asked = Effect.gen(function*() {
      const [origin] = yield* read(
        Origin,
        sql`SELECT restored_at AS "restoredAt", backup_made_at AS "backupMadeAt" FROM store`
      )
      const { backupMadeAt = null, restoredAt = null } = origin ?? {}
      const channels = yield* outbox.channels
      const failing = channels.some(({ failingSince }) => failingSince !== null)
      return {
        version,
        storeEpoch,
        ...(restoredAt === null ? {} : { restoredAt }),
        ...(backupMadeAt === null ? {} : { backupMadeAt }),
        notices: channels.length === 0 ? "none" as const : failing ? "failing" as const : "ok" as const
      }
    })
    return handlers.handle("health", () => Effect.catchAll(asked, unavailable))
  }))
