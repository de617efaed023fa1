import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { Context, Layer, type ParseResult, type Redacted, Schema } from "effect"

// The secret is a UUID (platform-facts 3.1). Only what would break the header out of its shape is refused here, so that a
// wrong secret is Proxmox's to refuse, with its own words.
const Secret = Schema.Redacted(
  Schema.NonEmptyString.pipe(
    Schema.pattern(/^[\x21-\x7e]+$/, { message: () => "a token secret has no spaces or line breaks in it" })
  )
)

const HttpsOrigin = Schema.URLFromSelf.pipe(
  Schema.filter((url) =>
    url.protocol === "https:" && url.pathname === "/" && url.search === "" && url.username === "" &&
      url.password === "" ||
    "expected an https address without a path, for example https://127.0.0.1:8006"
  )
)

const Settings = Schema.Struct({ url: HttpsOrigin, node: NodeName, tokenId: TokenId, secret: Secret })

/** Which host is spoken to, and as whom. The secret shows as `<redacted>` wherever this is printed. */
export interface ProxmoxSettings {
  /** The origin of pveproxy, https only, for example `https://127.0.0.1:8006`. */
  readonly url: URL
  /** The node's real name: with `localhost` the checked path would be `/nodes/localhost` (platform-facts 1.0). */
  readonly node: NodeName
  readonly tokenId: TokenId
  readonly secret: Redacted.Redacted<string>
}

export class ProxmoxConfig extends Context.Tag("felhom/proxmox/ProxmoxConfig")<ProxmoxConfig, ProxmoxSettings>() {}

/** Checks the settings; a `ParseError` names what is wrong with which, never the secret. */
export const layer = (settings: ProxmoxSettings): Layer.Layer<ProxmoxConfig, ParseResult.ParseError> =>
  Layer.effect(
    ProxmoxConfig,
    Schema.validate(Settings)(settings)
  )
