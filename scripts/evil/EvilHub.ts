import { HostReport } from "@felhom/domain/HostReport"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect, Option, Runtime, Schema, type Scope } from "effect"
import type { IncomingMessage } from "node:http"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"
import { StoryFailed } from "../story/StoryFailed.ts"
import type { Answer } from "./Attack.ts"

const decodeReport = Schema.decodeUnknownSync(Schema.parseJson(HostReport))

/** Gives what is answered to a report, or none where another one is waited for. */
export type Answering = (report: HostReport) => Effect.Effect<Option.Option<Answer>>

/** A hub in an attacker's hands: it answers one report with whatever it was handed, and all others as a good one would. */
export interface EvilHub {
  readonly url: string
  readonly fingerprint: string
  /** Every report that came, in order. */
  readonly reports: () => ReadonlyArray<HostReport>
  /** Answers the next report for which there is an answer; says how many reports had come by then, that one among them. */
  readonly play: (answering: Answering) => Effect.Effect<number>
}

/** As often as an agent lets itself be asked. */
const reportSeconds = 5

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const goodEnvelope = (report: HostReport) => ({
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
})

export const startEvilHub = (
  { host = "127.0.0.1", port: wanted = 0 }: { readonly host?: string; readonly port?: number } = {}
): Effect.Effect<EvilHub, StoryFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const identity = yield* Effect.orDie(TlsIdentity.make({ commonName: "hub", altNames: ["localhost"], days: 1 }))
    const reports: Array<HostReport> = []
    const runPromise = Runtime.runPromise(yield* Effect.runtime())
    let waiting: { readonly answering: Answering; readonly told: (count: number) => void } | undefined
    const answerTo = async (report: HostReport) => {
      const asked = waiting
      const found = asked === undefined ? Option.none() : await runPromise(asked.answering(report))
      if (Option.isNone(found)) return { answer: { ops: [] }, told: () => undefined }
      waiting = undefined
      return { answer: found.value, told: () => asked?.told(reports.length) }
    }
    const server = createServer({ key: identity.privateKeyPem, cert: identity.certificatePem }, (request, response) => {
      const answered = async () => {
        const body = await bodyOf(request)
        const packed = request.headers["content-encoding"] === "gzip"
        const report = decodeReport((packed ? gunzipSync(body) : body).toString("utf8"))
        reports.push(report)
        const { answer, told } = await answerTo(report)
        response.writeHead(200, { "content-type": "application/json" })
        if ("hangsAfter" in answer) return void response.write(answer.hangsAfter, told)
        const sent: string = "body" in answer
          ? answer.body
          : JSON.stringify({ ...goodEnvelope(report), ops: answer.ops, ...answer.envelope })
        response.end(sent, told)
      }
      answered().catch((error: unknown) => {
        response.writeHead(400, { "content-type": "application/json" })
        response.end(JSON.stringify({ message: `this is no report: ${String(error).slice(0, 200)}` }))
      })
    })
    yield* Effect.acquireRelease(
      Effect.async<void, StoryFailed>((resume) => {
        server.once("error", (error) =>
          resume(new StoryFailed({ message: `the hub can't listen on ${host}:${wanted}: ${error.message}` })))
        server.listen(wanted, host, () =>
          resume(Effect.void))
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
      url: `https://${host}:${port}`,
      fingerprint: formatFingerprint(identity.leafSha256),
      reports: () => reports,
      play: (answering) =>
        Effect.async<number>((resume) => {
          waiting = { answering, told: (count) => resume(Effect.succeed(count)) }
          return Effect.sync(() => {
            waiting = undefined
          })
        })
    }
  })
