import { Context, Layer } from "effect"

/** What the hub's operator chose. */
export class HubSettings extends Context.Tag("felhom/hub/HubSettings")<HubSettings, {
  /** How long agents are asked to wait between reports; they keep to 5 to 3600 seconds whatever stands here. */
  readonly reportIntervalSeconds: number
  /** How many of a host's latest reports are kept as they came. */
  readonly historyPerHost: number
}>() {
  static readonly layer = (settings: typeof HubSettings.Service): Layer.Layer<HubSettings> =>
    Layer.succeed(HubSettings, settings)
}

/** Two hours at the default interval: about 400 KB a host with twenty guests. */
export const defaultHistory = 240
