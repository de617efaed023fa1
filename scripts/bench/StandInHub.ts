import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect, Schema } from "effect"
import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

const Report = Schema.parseJson(Schema.Struct({
  host: Schema.Struct({ id: Schema.String, epoch: Schema.String }),
  events: Schema.Array(Schema.Struct({ seq: Schema.Number }))
}))

/** A hub that takes every report at once, so that only the agent is measured. */
export interface StandInHub {
  readonly url: string
  readonly fingerprint: string
  /** Reports that were answered so far. */
  readonly reports: () => number
  /** Resolves when the next report has been answered. */
  readonly next: () => Promise<void>
  readonly close: () => void
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Starts one that asks for a report each `reportSeconds`. */
export const startStandInHub = async (reportSeconds: number): Promise<StandInHub> => {
  const identity = await Effect.runPromise(
    TlsIdentity.make({ commonName: "hub", altNames: ["localhost"], days: 1 })
  )
  let reports = 0
  let waiting: Array<() => void> = []
  const server = createServer({ key: identity.privateKeyPem, cert: identity.certificatePem }, (request, response) => {
    void bodyOf(request).then((body) => {
      const report = Schema.decodeSync(Report)(gunzipSync(body).toString("utf8"))
      const envelope = {
        typ: "felhom/envelope/v1",
        host: report.host.id,
        hostEpoch: report.host.epoch,
        serverTime: Date.now(),
        nextReportSeconds: reportSeconds,
        acked: report.events.at(-1)?.seq ?? 0,
        ops: [],
        signers: []
      }
      const answer = JSON.stringify(envelope)
      // With its length, as the hub itself answers.
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) })
      response.end(answer, () => {
        reports += 1
        const told = waiting
        waiting = []
        for (const tell of told) tell()
      })
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  // A listening TCP server's address is never a string.
  const { port } = server.address() as AddressInfo
  return {
    url: `https://127.0.0.1:${port}`,
    fingerprint: formatFingerprint(identity.leafSha256),
    reports: () => reports,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}
