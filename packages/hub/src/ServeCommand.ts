import { Command, Options } from "@effect/cli"
import { Either } from "effect"
import { envOption, wholeNumber } from "./EnvOption.ts"
import { defaultHistory } from "./HubSettings.ts"
import { parseListenAddress } from "./ListenAddress.ts"
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

const history = envOption(
  "history",
  "FELHOM_HUB_HISTORY",
  "How many of each host's latest reports are kept as they came",
  wholeNumber(1, 100_000)
).pipe(Options.withDefault(defaultHistory))

export const serveCommand = Command.make(
  "serve",
  { listen, data, reportInterval, history },
  ({ data, history, listen, reportInterval }) =>
    serve({ listen, data, reportIntervalSeconds: reportInterval, historyPerHost: history })
).pipe(Command.withDescription("Take reports and answer operators over HTTPS until asked to stop"))
