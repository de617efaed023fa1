import { HubUnavailable } from "@felhom/domain/HubRefusal"
import { Effect } from "effect"
import type { StoreError } from "./StoreError.ts"

/** A store that fails is told in full to the hub's own log, and in short to whoever asked: paths are not theirs to know. */
export const unavailable = (error: StoreError): Effect.Effect<never, HubUnavailable> =>
  Effect.zipRight(
    Effect.logError(error.message),
    Effect.fail(new HubUnavailable({ message: `the hub's store failed (${error.reason}); its log says more` }))
  )
