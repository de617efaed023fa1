import { HostReport } from "@felhom/domain/HostReport"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect, Schema, type Scope } from "effect"
import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"
import type { Answer } from "./Attack.ts"

const decodeReport = Schema.decodeUnknownSync(Schema.parseJson(HostReport))

/** A hub in an attacker's hands: it answers the next report with whatever it was handed, and all others as a good one would. */
export interface EvilHub {
  readonly url: string
  readonly fingerprint: string
  /** Every report that came, in order. */
  readonly reports: () => ReadonlyArray<HostReport>
  /** Answers the next report so; resolves when that was answered. */
  readonly play: (answer: Answer) => Promise<void>
}

/** As often as an agent lets itself be asked. */
const reportSeconds = 5

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export const startEvilHub: Effect.Effect<EvilHub, never, Scope.Scope> = Effect.gen(function*() {
  const identity = yield* Effect.orDie(TlsIdentity.make({ commonName: "hub", altNames: ["localhost"], days: 1 }))
  const reports: Array<HostReport> = []
  let waiting: { readonly answer: Answer; readonly told: () => void } | undefined
  const server = createServer({ key: identity.privateKeyPem, cert: identity.certificatePem }, (request, response) => {
    void bodyOf(request).then((body) => {
      const packed = request.headers["content-encoding"] === "gzip"
      const report = decodeReport((packed ? gunzipSync(body) : body).toString("utf8"))
      reports.push(report)
      const played = waiting
      waiting = undefined
      const good = {
        typ: "felhom/envelope/v1",
        host: report.host.id,
        hostEpoch: report.host.epoch,
        serverTime: Date.now(),
        nextReportSeconds: reportSeconds,
        acked: report.events.at(-1)?.seq ?? 0,
        ops: [],
        signers: [],
        // A hub that asks for everything sees everything.
        want: "full"
      }
      const answer = played?.answer ?? { ops: [] }
      response.writeHead(200, { "content-type": "application/json" })
      if ("hangsAfter" in answer) {
        response.write(answer.hangsAfter, () => played?.told())
        return
      }
      response.end(
        "body" in answer ? answer.body : JSON.stringify({ ...good, ops: answer.ops, ...answer.envelope }),
        played?.told
      )
    })
  })
  yield* Effect.acquireRelease(
    Effect.promise(async () => {
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  // A listening TCP server's address is never a string.
  const { port } = server.address() as AddressInfo
  return {
    url: `https://127.0.0.1:${port}`,
    fingerprint: formatFingerprint(identity.leafSha256),
    reports: () => reports,
    play: (answer) =>
      new Promise((told) => {
        waiting = { answer, told }
      })
  }
})
