import { HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import { Effect, Layer } from "effect"
import { PveSim } from "./PveSim.ts"

/**
 * An `HttpClient` that talks to the simulated host without a wire: the request's scheme, host and port are ignored. Bodies
 * must be bytes or text; a stream is announced as chunked, which Proxmox refuses (platform-facts 3.4).
 */
export const layer: Layer.Layer<HttpClient.HttpClient, never, PveSim> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(PveSim, (sim) =>
    HttpClient.make((request, url) =>
      Effect.gen(function*() {
        const headers: { [name: string]: string } = { ...request.headers }
        const body = request.body
        let bytes: Uint8Array = new Uint8Array(0)
        if (body._tag === "Uint8Array") {
          bytes = body.body
          headers["content-type"] = body.contentType
          headers["content-length"] = String(bytes.length)
        } else if (body._tag === "Stream") {
          headers["transfer-encoding"] = "chunked"
        } else if (body._tag !== "Empty") {
          return yield* new HttpClientError.RequestError({
            request,
            reason: "Encode",
            description: `the in-process front has no way to send a ${body._tag} body`
          })
        }
        const answer = yield* sim.handle({
          method: request.method,
          path: url.pathname,
          query: url.search.replace(/^\?/, ""),
          headers,
          body: bytes
        })
        if (answer.broken === "reset") {
          return yield* new HttpClientError.RequestError({
            request,
            reason: "Transport",
            description: "the connection was reset"
          })
        }
        const received = answer.broken === "truncated" ? answer.body.slice(0, answer.body.length / 2) : answer.body
        const web = new Response(received.length === 0 ? null : new Uint8Array(received), {
          status: answer.status,
          statusText: answer.reason,
          headers: answer.headers.map(([name, value]): [string, string] => [name, value])
        })
        return HttpClientResponse.fromWeb(request, web)
      })
    ))
).pipe(Layer.ensureRequirementsType<PveSim>())
