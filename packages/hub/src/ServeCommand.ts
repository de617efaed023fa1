import { Command, Options } from "@effect/cli"
import { Effect, Either } from "effect"
import { byteSize, envOption, wholeNumber } from "./EnvOption.ts"
import { defaultMaxStoreBytes } from "./HubSettings.ts"
import { parseListenAddress } from "./ListenAddress.ts"
import { channelsOf, notifyOptions } from "./NotifyOptions.ts"
import { serve } from "./Serve.ts"

const listen = envOption("listen", "FELHOM_HUB_LISTEN", "Where to listen, HOST:PORT", parseListenAddress).pipe(
  Options.withDefault({ host: "127.0.0.1", port: 8443 })
)

/** The folder that `serve` and the token commands share. */
export const data = envOption(
  "data",
  "FELHOM_HUB_DATA",
  "The folder of the hub's store and its TLS key, made when it is not there",
  (text) => text === "" ? Either.left("expected a folder's path") : Either.right(text)
)

const reportInterval = envOption(
  "report-interval",
  "FELHOM_HUB_REPORT_INTERVAL",
  "Seconds that agents are asked to wait between reports; they never wait less than 5",
  wholeNumber(1, 3600)
).pipe(Options.withDefault(30))

const maxStoreBytes = envOption(
  "max-store-bytes",
  "FELHOM_HUB_MAX_STORE_BYTES",
  "How much the store may hold, such as 4G or 500M, before its oldest history goes",
  byteSize(16 * 1024 ** 2)
).pipe(Options.withDefault(defaultMaxStoreBytes))

export const serveCommand = Command.make(
  "serve",
  { listen, data, reportInterval, maxStoreBytes, ...notifyOptions },
  ({ data, listen, maxStoreBytes, name, reportInterval, ...notify }) =>
    Effect.flatMap(
      channelsOf(notify),
      (channels) => serve({ listen, data, reportIntervalSeconds: reportInterval, maxStoreBytes, channels, name })
    )
).pipe(Command.withDescription("Take reports and answer operators over HTTPS until asked to stop"))
