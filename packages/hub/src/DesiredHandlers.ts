import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { HubApi } from "@felhom/domain/HubApi"
import { Effect, Layer } from "effect"
import { operatorLayer } from "./Authorization.ts"
import { DesiredBook } from "./DesiredBook.ts"
import { requires } from "./RequiredRole.ts"
import type { TokenStore } from "./TokenStore.ts"
import { unavailable } from "./Unavailable.ts"

/** What hosts are wished to be, for people. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"felhom-hub", "desired">,
  never,
  DesiredBook | TokenStore
> = HttpApiBuilder.group(HubApi, "desired", (handlers) =>
  Effect.map(DesiredBook, (book) =>
    handlers
      .handle("apply", ({ path: { hostId }, payload }) =>
        Effect.flatMap(
          requires("operator"),
          (by) => Effect.catchTag(book.apply(hostId, payload, by), "StoreError", unavailable)
        ))
      .handle("present", ({ path: { hostId } }) => Effect.catchAll(book.present(hostId), unavailable))
      .handle("log", ({ path: { hostId } }) => Effect.catchAll(book.log(hostId), unavailable)))).pipe(
    Layer.provide(operatorLayer)
  )
