import { HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import { Effect, Layer, Redacted } from "effect"

export const secret = "11111111-2222-3333-4444-555555555555"

const config = Layer.succeed(ProxmoxConfig, {
  url: new URL("https://demo.example:8006"),
  node: NodeName.make("demo-felhom"),
  tokenId: TokenId.make("felhom-agent@pve!agent"),
  secret: Redacted.make(secret)
})

/** A request as it would go on the wire. */
export interface Sent {
  readonly method: string
  /** Path and query, as encoded. */
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

export type Script = (sent: Sent, count: number) => Effect.Effect<Response, HttpClientError.RequestError>

const bodyText = (request: HttpClientRequest.HttpClientRequest): string =>
  request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""

/** What Proxmox answers on success. */
export const ok = (data: unknown, total?: number): Response =>
  new Response(JSON.stringify({ data, ...(total === undefined ? {} : { total }) }), { status: 200 })

/** What Proxmox answers when a handler dies. */
export const died = (message: string, status = 500): Response =>
  new Response(JSON.stringify({ data: null, message: `${message}\n` }), { status })

/** A connection that failed with one of Node's or undici's codes. */
export const broken = (code: string): Effect.Effect<never, HttpClientError.RequestError> =>
  Effect.fail(
    new HttpClientError.RequestError({
      request: HttpClientRequest.get("https://demo.example:8006"),
      reason: "Transport",
      cause: Object.assign(new Error(`${code.toLowerCase()} happened`), { code })
    })
  )

/** A client of the API that answers from a script, over what `known` makes of its HTTP client; `sent` collects what it was asked. */
export const scripted = (
  script: Script,
  known: (http: HttpClient.HttpClient) => HttpClient.HttpClient = (http) => http
): {
  readonly sent: ReadonlyArray<Sent>
  readonly layer: Layer.Layer<ProxmoxClient.ProxmoxClient>
} => {
  const sent: Array<Sent> = []
  const http = HttpClient.make((request, url) =>
    Effect.suspend(() => {
      const seen = {
        method: request.method,
        path: url.pathname + url.search,
        headers: request.headers,
        body: bodyText(request)
      }
      sent.push(seen)
      return Effect.map(script(seen, sent.length), (response) => HttpClientResponse.fromWeb(request, response))
    })
  )
  return {
    sent,
    layer: ProxmoxClient.layer.pipe(Layer.provide([Layer.succeed(HttpClient.HttpClient, known(http)), config]))
  }
}
