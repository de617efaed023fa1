import { Context, type Redacted } from "effect"

/** Which hub, and as whom. */
export class HubClientConfig extends Context.Tag("felhom/hub-client/HubClientConfig")<HubClientConfig, {
  /** The hub's origin; https only. */
  readonly url: URL
  /** The host's token, which the hub binds to the first host id that uses it. */
  readonly token: Redacted.Redacted
}>() {}
