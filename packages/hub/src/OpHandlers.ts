import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { HubApi } from "@felhom/domain/HubApi"
import { HubNotFound } from "@felhom/domain/HubRefusal"
import { Effect, Layer, Option } from "effect"
import { operatorLayer } from "./Authorization.ts"
import { OpQueue } from "./OpQueue.ts"
import { requires } from "./RequiredRole.ts"
import type { TokenStore } from "./TokenStore.ts"
import { unavailable } from "./Unavailable.ts"

/** Signed ops, for people. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"felhom-hub", "ops">,
  never,
  OpQueue | TokenStore
> = HttpApiBuilder.group(HubApi, "ops", (handlers) =>
  Effect.map(OpQueue, (ops) =>
    handlers
      .handle("submit", ({ path: { hostId }, payload }) =>
        Effect.flatMap(
          requires("operator"),
          (by) => Effect.catchTag(ops.submit(hostId, payload, by), "StoreError", unavailable)
        ))
      .handle("ofHost", ({ path: { hostId } }) => Effect.catchAll(ops.ofHost(hostId), unavailable))
      .handle("one", ({ path: { hostId, op } }) =>
        Effect.catchAll(ops.one(hostId, op), unavailable).pipe(
          Effect.flatMap(
            Option.match({
              onNone: () =>
                Effect.fail(
                  new HubNotFound({ message: `this hub has no op ${op} for host ${hostId}; see felhom ops` })
                ),
              onSome: Effect.succeed
            })
          )
        ))
      .handle("report", ({ path: { hostId, op } }) =>
        Effect.catchAll(ops.report(hostId, op), unavailable).pipe(
          Effect.flatMap(
            Option.match({
              onNone: () =>
                Effect.fail(
                  new HubNotFound({
                    message: `this hub has no report that host ${hostId} signed in which it speaks of op ${op}`
                  })
                ),
              onSome: Effect.succeed
            })
          )
        ))
      .handle("list", ({ urlParams: { state } }) => Effect.catchAll(ops.list(state), unavailable)))).pipe(
    Layer.provide(operatorLayer)
  )
