import { HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Schema, type Scope } from "effect"
import { type Cast, readyLine, type Running, start } from "./Program.ts"
import { StoryFailed } from "./StoryFailed.ts"

/** The certificates that the simulator can serve: its own, the same key certified anew, and a stranger's. */
export type CertificateName = "original" | "renewed" | "foreign"

const Shown = Schema.Struct({ leaf: Schema.String })

const Ready = Schema.Struct({
  url: Schema.String,
  control: Schema.String,
  certificates: Schema.Struct({ original: Shown, renewed: Shown, foreign: Shown })
})

const Totals = Schema.Struct({ connections: Schema.Number, applicationBytes: Schema.Number })

const Wire = Schema.Struct({
  perCertificate: Schema.Struct({ original: Totals, renewed: Totals, foreign: Totals })
})

/** The simulated host, and the hands of the person who stands in front of it. */
export interface Simulator {
  readonly running: Running
  readonly url: string
  /** Where the hands of that person are, as a URL. */
  readonly control: string
  readonly certificates: { readonly [name in CertificateName]: { readonly leaf: string } }
  readonly serve: (certificate: CertificateName) => Effect.Effect<void, StoryFailed>
  /** Any change of the control port's `/console`. */
  readonly console: (
    change: { readonly _tag: string; readonly [key: string]: unknown }
  ) => Effect.Effect<void, StoryFailed>
  readonly setGuest: (vmid: number, status: "running" | "stopped") => Effect.Effect<void, StoryFailed>
  /** Connections that were shown this certificate, and what was sent over them after the handshake. */
  readonly wire: (certificate: CertificateName) => Effect.Effect<typeof Totals.Type, StoryFailed>
}

export const startSimulator = (
  tokenFile: string,
  /** What the host is called; the recorded host's name without it. */
  node?: string
): Effect.Effect<Simulator, StoryFailed, Scope.Scope | Cast | HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const running = yield* start({
      name: node === undefined ? "the simulator" : `the simulator of ${node}`,
      bundle: "pve-sim.js",
      args: [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
        "--tokens",
        tokenFile,
        ...(node === undefined ? [] : ["--node", node])
      ],
      environment: {},
      printsReady: true
    })
    const { certificates, control, url } = yield* readyLine(Ready, running)
    const failed = (error: { readonly message: string }) =>
      new StoryFailed({ message: `the simulator's control did not do as asked: ${error.message}` })
    const post = (path: string, body: unknown) =>
      HttpClientRequest.post(`${control}${path}`).pipe(
        HttpClientRequest.bodyUnsafeJson(body),
        client.execute,
        Effect.flatMap(HttpClientResponse.filterStatusOk),
        Effect.asVoid,
        Effect.mapError(failed)
      )
    return {
      running,
      url,
      control,
      certificates,
      serve: (certificate) => post("/certificates", { serve: certificate }),
      console: (change) => post("/console", change),
      setGuest: (vmid, status) => post(`/guests/${vmid}`, { status }),
      wire: (certificate) =>
        client.get(`${control}/wire`).pipe(
          Effect.flatMap(HttpClientResponse.schemaBodyJson(Wire)),
          Effect.mapError(failed),
          Effect.map(({ perCertificate }) => perCertificate[certificate])
        )
    }
  })
