import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { HubApi } from "@felhom/domain/HubApi"
import { HubNotFound } from "@felhom/domain/HubRefusal"
import { Effect, Layer, Option } from "effect"
import { operatorLayer } from "./Authorization.ts"
import { requires } from "./RequiredRole.ts"
import { SignersChain } from "./SignersChain.ts"
import type { TokenStore } from "./TokenStore.ts"
import { unavailable } from "./Unavailable.ts"

/** The chain of a fleet's signers, for people. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"felhom-hub", "signers">,
  never,
  SignersChain | TokenStore
> = HttpApiBuilder.group(HubApi, "signers", (handlers) =>
  Effect.map(SignersChain, (chain) =>
    handlers
      .handle("submit", ({ payload }) =>
        Effect.flatMap(
          requires("operator"),
          (by) => Effect.catchTag(chain.submit(payload, by), "StoreError", unavailable)
        ))
      .handle("list", () => chain.list)
      .handle("one", ({ path: { fleet, version } }) =>
        Effect.flatMap(
          chain.one(fleet, version),
          Option.match({
            onNone: () =>
              Effect.fail(
                new HubNotFound({ message: `this hub has no version ${version} of fleet ${fleet}'s signers` })
              ),
            onSome: Effect.succeed
          })
        ))
      .handle("withdraw", ({ path: { fleet, version } }) =>
        Effect.zipRight(
          requires("admin"),
          Effect.catchTag(chain.withdraw(fleet, version), "StoreError", unavailable)
        )))).pipe(Layer.provide(operatorLayer))
