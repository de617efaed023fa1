/** One HTTP request as a front hands it to the core: nothing decoded but the headers' names, which are in lower case. */
export interface SimRequest {
  readonly method: string
  /** The request target's path, still percent-encoded. */
  readonly path: string
  /** What stands after the `?`, still encoded; empty when there is none. */
  readonly query: string
  readonly headers: { readonly [lowerCaseName: string]: string }
  /** At most `bodyLimit` bytes need to be read: the core judges by `Content-Length`, as pveproxy does (platform-facts 3.5). */
  readonly body: Uint8Array
}

/** One HTTP response. `headers` keep their order and may repeat a name, as pveproxy's do. */
export interface SimResponse {
  readonly status: number
  readonly reason: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Uint8Array
  /** The connection breaks: instead of the answer, or in the middle of its body. */
  readonly broken?: "reset" | "truncated"
  /** The body goes out compressed, whatever the client accepts. */
  readonly gzip?: boolean
  /** The body goes out in chunks, without a length. */
  readonly chunked?: boolean
  /** The certificate to serve from now on; old and new leaf alternate for so many seconds. */
  readonly certificate?: { readonly serve: "original" | "renewed" | "foreign"; readonly alternating: number }
}

/** The largest body that pveproxy reads, in bytes (platform-facts 3.5). */
export const bodyLimit = 512 * 1024

/** How often one method and path, without the query, were asked for. */
export interface RequestCount {
  readonly method: string
  readonly path: string
  readonly count: number
}
