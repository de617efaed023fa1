import { Context, type Effect, type Redacted } from "effect"

/** Where the hub is, and what this host shows to it. */
export class HubClientConfig extends Context.Tag("felhom/hub-client/HubClientConfig")<HubClientConfig, {
  /** https only; a path in it is kept in front of the API's own. */
  readonly url: URL
  readonly token: Redacted.Redacted
  /** The host's SSHSIG blob over a report's exact bytes, in base64. Without it reports go unsigned. */
  readonly sign?: (body: Uint8Array) => Effect.Effect<string>
  /** Packs with gzip. Without it the platform's own stream does, which takes longer to come up. */
  readonly pack?: (body: Uint8Array) => Effect.Effect<Uint8Array>
}>() {}
