import { Context, Layer } from "effect"

/** What the hub's operator chose. */
export class HubSettings extends Context.Tag("felhom/hub/HubSettings")<HubSettings, {
  /** How long agents are asked to wait between reports; they keep to 5 to 3600 seconds whatever stands here. */
  readonly reportIntervalSeconds: number
  /** How many bytes the store may hold before its oldest history goes. */
  readonly maxStoreBytes: number
}>() {
  static readonly layer = (settings: typeof HubSettings.Service): Layer.Layer<HubSettings> =>
    Layer.succeed(HubSettings, settings)
}

/** Room for some thousand hosts with twenty guests each, and for years. */
export const defaultMaxStoreBytes: number = 4 * 1024 ** 3
