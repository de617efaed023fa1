import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect, Schema } from "effect"
import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

const Guest = Schema.Struct({
  type: Schema.String,
  status: Schema.String,
  config: Schema.Struct({ value: Schema.Struct({ identity: Schema.Object, onboot: Schema.Boolean }) })
})

const Report = Schema.parseJson(Schema.Struct({
  host: Schema.Struct({ id: Schema.String, epoch: Schema.String }),
  events: Schema.Array(Schema.Struct({ seq: Schema.Number }))
}))

/** What a hub that wishes for something has to know besides. */
const Seen = Schema.parseJson(Schema.Struct({
  host: Schema.Struct({ id: Schema.String, epoch: Schema.String }),
  inventory: Schema.NullOr(Schema.Struct({
    guests: Schema.Struct({ value: Schema.Array(Guest) }),
    desired: Schema.NullOr(Schema.Struct({
      version: Schema.Number,
      drift: Schema.Array(Schema.Object),
      compared: Schema.optional(Schema.Boolean)
    }))
  }))
}))
type Seen = typeof Seen.Type

/** That all guests be what they are. */
const asItIs = ({ host, inventory }: Seen): string | undefined => {
  const guests = inventory?.guests.value ?? []
  return guests.length === 0 ? undefined : Buffer.from(JSON.stringify({
    typ: "felhom/desired/v1",
    host: host.id,
    hostEpoch: host.epoch,
    epoch: "e".repeat(32),
    version: 1,
    issued: Date.now(),
    expires: Date.now() + 86_400_000,
    state: {
      guests: guests.map(({ config: { value: { identity, onboot } }, status, type }) => ({
        guest: { type, identity },
        power: status,
        onboot
      }))
    }
  })).toString("base64")
}

/** A hub that takes every report at once, so that only the agent is measured. */
export interface StandInHub {
  readonly url: string
  readonly fingerprint: string
  /** Reports that were answered so far. */
  readonly reports: () => number
  /** Whether the last host to say so goes by what is wished for it, and finds nothing that differs. */
  readonly converged: () => boolean
  /** Resolves when the next report has been answered. */
  readonly next: () => Promise<void>
  readonly close: () => void
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Starts one that asks for a report each `reportSeconds`; with `wishes` it wishes its host to be as it is. */
export const startStandInHub = async (reportSeconds: number, wishes = false): Promise<StandInHub> => {
  const identity = await Effect.runPromise(
    TlsIdentity.make({ commonName: "hub", altNames: ["localhost"], days: 1 })
  )
  let reports = 0
  let waiting: Array<() => void> = []
  let wished: string | undefined
  let converged = false
  const look = (text: string): void => {
    const seen = Schema.decodeSync(Seen)(text)
    wished ??= asItIs(seen)
    const status = seen.inventory?.desired
    if (status === null || status === undefined) return
    converged = status.version === 1 && status.compared !== false && status.drift.length === 0
  }
  const server = createServer({ key: identity.privateKeyPem, cert: identity.certificatePem }, (request, response) => {
    void bodyOf(request).then((body) => {
      const text = gunzipSync(body).toString("utf8")
      const report = Schema.decodeSync(Report)(text)
      if (wishes) look(text)
      const envelope = {
        typ: "felhom/envelope/v1",
        host: report.host.id,
        hostEpoch: report.host.epoch,
        serverTime: Date.now(),
        nextReportSeconds: reportSeconds,
        acked: report.events.at(-1)?.seq ?? 0,
        ...(wished === undefined ? {} : { desired: wished }),
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
    converged: () => converged,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}
