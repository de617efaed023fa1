import { Clock, Duration, Effect, Fiber, Option } from "effect"
import type { Identity } from "./AccessControl.ts"
import { ApiFailure, badParameters, died } from "./ApiFailure.ts"
import { type Answer, type Endpoint, type Json, refusal } from "./Endpoint.ts"
import { endpoints } from "./endpoints.ts"
import { isQuorate, type Machine, takeTime } from "./Machine.ts"
import { decodePath, malformedJson, type Parameters, parseForm, parseJsonBody } from "./Parameters.ts"
import { check } from "./ParameterSchema.ts"
import { bodyLimit, type SimRequest, type SimResponse } from "./SimWire.ts"
import { unsimulated } from "./Unsimulated.ts"

/** An answer before it has its headers. */
interface Reply {
  readonly status: number
  readonly reason: string
  readonly body: string
  readonly contentType?: string
  /** pvedaemon's own `Connection: close` is passed on by pveproxy, in front of pveproxy's `Keep-Alive`. */
  readonly viaDaemon?: boolean
  /** The answer is a file to save under this name. */
  readonly fileName?: string
  /** No Content-Length: the end of the connection ends the body. */
  readonly open?: boolean
}

const json = "application/json;charset=UTF-8"

/** A text answer from the HTTP layer itself, before any API. */
const plain = (status: number, reason: string, body = reason): Reply => ({ status, reason, body })

const bare = (status: number, reason: string): Reply => ({ status, reason, body: "", open: true })

const utf8 = new TextEncoder()

/** The answer as it goes out at a moment in milliseconds since the epoch. */
const finished = (reply: Reply, now: number): SimResponse => {
  const body = utf8.encode(reply.body)
  const date = new Date(now).toUTCString()
  const headers: Array<readonly [string, string]> = [["Cache-Control", "max-age=0"]]
  if (reply.viaDaemon === true || reply.status >= 400) headers.push(["Connection", "close"])
  if (reply.status < 400) headers.push(["Connection", "Keep-Alive"])
  headers.push(["Date", date], ["Pragma", "no-cache"], ["Server", "pve-api-daemon/3.0"])
  if (reply.open !== true) headers.push(["Content-Length", String(body.length)])
  if (reply.contentType !== undefined) headers.push(["Content-Type", reply.contentType])
  if (reply.fileName !== undefined) headers.push(["Content-Disposition", `attachment; filename="${reply.fileName}"`])
  headers.push(["Expires", date])
  // A file of more than a KiB is sent compressed, whatever the client asked for (platform-facts 4.3).
  const gzip = reply.fileName !== undefined && body.length > 1024
  return { status: reply.status, reason: reply.reason, headers, body, ...(gzip ? { gzip } : {}) }
}

const segmentsOf = (path: string): ReadonlyArray<string> => path.split("/").filter((segment) => segment !== "")

/** One part of an endpoint's path: a word, a parameter, or a parameter that takes all that follows. */
interface Part {
  readonly word?: string
  readonly parameter?: string
  readonly rest?: boolean
}

interface Route {
  readonly endpoint: Endpoint
  readonly parts: ReadonlyArray<Part>
}

const partOf = (segment: string): Part => {
  const [, parameter, rest] = /^\{(\w+)(\*)?\}$/.exec(segment) ?? []
  return parameter === undefined ? { word: segment } : { parameter, rest: rest !== undefined }
}

// By method and, for those without a rest, by the number of segments. What is simulated is found first.
const routes = new Map<string, Array<Route>>()
for (const endpoint of [...endpoints, ...unsimulated]) {
  const parts = segmentsOf(endpoint.path).map(partOf)
  const key = parts.at(-1)?.rest === true ? endpoint.method : `${endpoint.method} ${parts.length}`
  routes.set(key, [...routes.get(key) ?? [], { endpoint, parts }])
}

const match = (
  parts: ReadonlyArray<Part>,
  path: ReadonlyArray<string>
): ReadonlyMap<string, string> | undefined => {
  const found = new Map<string, string>()
  for (const [index, { parameter, rest, word }] of parts.entries()) {
    const segment = path[index]
    if (segment === undefined || (word !== undefined && word !== segment)) return undefined
    if (parameter !== undefined) found.set(parameter, rest === true ? path.slice(index).join("/") : segment)
  }
  return found
}

const find = (
  method: string,
  path: string
): { readonly endpoint: Endpoint; readonly uri: ReadonlyMap<string, string> } | undefined => {
  const segments = segmentsOf(path)
  for (const key of [`${method} ${segments.length}`, method]) {
    for (const { endpoint, parts } of routes.get(key) ?? []) {
      const uri = match(parts, segments)
      if (uri !== undefined) return { endpoint, uri }
    }
  }
  return undefined
}

/** Query over body, path over both; another value for a path parameter is refused (platform-facts 1.0). */
const merge = (uri: ReadonlyMap<string, string>, given: Parameters): Parameters | ApiFailure => {
  const all = new Map(given)
  for (const [name, value] of uri) {
    if (given.has(name) && given.get(name) !== value) {
      return badParameters({ [name]: "duplicate parameter (already defined in URI) with conflicting values!" })
    }
    all.set(name, value)
  }
  return all
}

/** The machine that a path's node names: this one, or another of the cluster, to which the request is passed on. */
const machineOf = (machine: Machine, node: string | undefined): Machine | ApiFailure => {
  if (node === undefined || node === machine.node || node === "localhost") return machine
  const peer = machine.peers.find(({ name }) => name === node)
  if (peer !== undefined) {
    return peer.online ? peer.machine : new ApiFailure({ status: 595, message: "No route to host" })
  }
  return died(
    `hostname lookup '${node}' failed - failed to get address info for: ${node}: Temporary failure in name resolution`
  )
}

// What is kept in one file for the whole cluster is locked there first, and the lock is what fails.
const lockedFiles: ReadonlyArray<readonly [path: RegExp, what: string, file: string]> = [
  [/^\/access\/users\/\{userid\}\/token/, "token", "user_cfg"],
  [/^\/access\/acl/, "ACL", "user_cfg"],
  [/^\/access\/(?:users)/, "user", "user_cfg"],
  [/^\/access\/(?:groups)/, "group", "user_cfg"],
  [/^\/access\/(?:roles)/, "role", "user_cfg"],
  [/^\/pools/, "pool", "user_cfg"],
  [/^\/storage/, "storage", "storage_cfg"]
]

const failedWrite = (method: string, what: string): string => {
  const verb = { POST: "create", PUT: "update", DELETE: "delete" }[method] ?? ""
  if (what === "ACL") return "ACL update failed"
  if (what === "pool" && method === "PUT") return "update pools failed"
  if (what !== "token") return `${verb} ${what} failed`
  return { POST: "generating token failed", PUT: "updating token info failed" }[method] ?? "deleting token failed"
}

/** Without quorum /etc/pve is read only, so nothing that is written there goes well (platform-facts 8). */
const unwritable = (machine: Machine, { method, path }: Endpoint): ApiFailure | undefined => {
  if (method === "GET" || isQuorate(machine)) return undefined
  const [, what, file] = lockedFiles.find(([pattern]) => pattern.test(path)) ?? []
  if (what !== undefined) {
    return died(`${failedWrite(method, what)}: cfs-lock 'file-${file}' error: no quorum!`)
  }
  return /^\/(?:nodes\/\{node\}\/(?:lxc|qemu)|cluster)/.test(path) && !path.includes("/agent/")
    ? died("cluster not ready - no quorum?")
    : undefined
}

/**
 * pveproxy waits for pvedaemon for 30 s and then says 596, while pvedaemon goes on with what it was asked for
 * (platform-facts 3.5).
 */
const viaDaemon = (machine: Machine, handled: Effect.Effect<Answer, ApiFailure>): Effect.Effect<Answer, ApiFailure> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkIn(handled, machine.scope)
    // Most of what it is asked for is done at once, and nobody needs a clock for that.
    yield* Effect.yieldNow()
    const done = yield* fiber.poll
    if (Option.isSome(done)) return yield* done.value
    const exit = yield* Fiber.await(fiber).pipe(Effect.timeoutOption(Duration.millis(30_000 / machine.speed)))
    return Option.isNone(exit)
      ? yield* new ApiFailure({ status: 596, message: "Connection timed out" })
      : yield* exit.value
  })

type DaemonAnswer = Answer & { readonly viaDaemon: boolean }

const callApi = (
  machine: Machine,
  identity: Identity,
  method: string,
  path: string,
  given: Parameters
): Effect.Effect<DaemonAnswer, ApiFailure> => {
  const found = find(method, path)
  if (found === undefined) {
    return new ApiFailure({ status: 501, message: `Method '${method} ${path}' not implemented` })
  }
  const { endpoint, uri } = found
  const parameters = merge(uri, given)
  if (parameters instanceof ApiFailure) return parameters
  const refused = refusal(endpoint.permission, machine, identity, (name) => {
    const value = name === "" ? path : parameters.get(name)
    return typeof value === "string" ? value : ""
  })
  if (refused !== undefined) return refused
  const there = machineOf(machine, endpoint.path.includes("{node}") ? uri.get("node") : undefined)
  if (there instanceof ApiFailure) return there
  if (endpoint.protected && machine.down.has("pvedaemon")) {
    return new ApiFailure({ status: 595, message: "Connection refused" })
  }
  const known = endpoint.open === true
    ? new Map(Array.from(parameters).filter(([name]) => name in endpoint.parameters))
    : parameters
  const { checked, errors } = check(endpoint.parameters, known)
  if (Object.keys(errors).length > 0) return badParameters(errors)
  const readOnly = unwritable(machine, endpoint)
  if (readOnly !== undefined) return readOnly
  const handled = endpoint.handle({ machine: there, identity, parameters: checked })
  return Effect.map(
    endpoint.protected ? viaDaemon(there, handled) : handled,
    (answer): DaemonAnswer => ({ ...answer, viaDaemon: endpoint.protected })
  )
}

const render = (value: { readonly [key: string]: Json }): string => JSON.stringify(value)

const failureReply = (failure: ApiFailure, format: string): Reply => {
  // pveproxy's own trouble with pvedaemon is not put into any format.
  if (failure.status === 595 || failure.status === 596) return bare(failure.status, failure.message)
  // Only a die has a newline at its end; routing has none.
  const message = failure.status === 501 ? failure.message : `${failure.message}\n`
  const errors = failure.errors === undefined ? {} : { errors: failure.errors }
  return format === "extjs"
    ? {
      status: 200,
      reason: "OK",
      body: render({ message, data: null, status: failure.status, success: 0, ...errors }),
      contentType: json
    }
    : {
      status: failure.status,
      reason: failure.message.split("\n")[0] ?? "",
      body: render({ data: null, message, ...errors }),
      contentType: json
    }
}

const answerReply = (answer: DaemonAnswer, format: string): Reply =>
  answer.download === undefined
    ? jsonReply(answer, format)
    : {
      status: 200,
      reason: "OK",
      body: answer.download.text,
      contentType: "text/plain",
      fileName: answer.download.name,
      viaDaemon: answer.viaDaemon
    }

const jsonReply = (answer: DaemonAnswer, format: string): Reply => ({
  status: 200,
  reason: "OK",
  // A total of 0 is left out, since Perl tests it for truth.
  body: render({
    data: answer.data ?? null,
    ...(answer.total === undefined || answer.total === 0 ? {} : { total: answer.total }),
    ...(format === "extjs" ? { success: 1 } : {})
  }),
  contentType: json,
  viaDaemon: answer.viaDaemon
})

const bodyParameters = (request: SimRequest, contentType: string): Parameters | Reply => {
  const text = new TextDecoder().decode(request.body)
  if (contentType !== "application/json") return parseForm(text)
  try {
    return parseJsonBody(text) ?? new Map()
  } catch (cause) {
    const said = malformedJson(text, cause)
    return plain(500, said, `${said}\n`)
  }
}

const isReply = (value: Parameters | Reply): value is Reply => !(value instanceof Map)

/** The parameters of query and body, or the HTTP layer's refusal of the body. */
const parametersOf = (request: SimRequest): Parameters | Reply => {
  const query = parseForm(request.query)
  const length = Number(request.headers["content-length"] ?? "0")
  if (length === 0) return query
  if (request.method !== "PUT" && request.method !== "POST") {
    return plain(501, `Unexpected content for method '${request.method}'`)
  }
  if (length > bodyLimit) return plain(501, "for data too large")
  const header = request.headers["content-type"]
  const contentType = header?.split(";")[0]?.trim().toLowerCase() ?? "application/x-www-form-urlencoded"
  if (contentType !== "application/x-www-form-urlencoded" && contentType !== "application/json") {
    return plain(506, `upload 'Content-Type '${header}' not implemented`)
  }
  const body = bodyParameters(request, contentType)
  return isReply(body) ? body : new Map([...body, ...query])
}

const apiToken = (request: SimRequest): string | undefined => {
  const value = /(?:^|\s)PVEAPIToken[= ]([^;]*)/.exec(request.headers["authorization"] ?? "")?.[1]
  return value === undefined ? undefined : decodePath(value)
}

const methods = new Set(["GET", "POST", "PUT", "DELETE"])

/** A refusal that is held back, so that guessing is slow (platform-facts 3.5). */
const heldBack = (machine: Machine, reply: Reply): Effect.Effect<Reply> =>
  Effect.as(takeTime(machine, "3 seconds"), reply)

/** What becomes of a request that comes at `now`, in milliseconds since the epoch. */
const route = (machine: Machine, request: SimRequest, now: number): Effect.Effect<Reply> => {
  const path = decodePath(request.path)
  machine.countRequest(request.method, path)
  if (!methods.has(request.method)) return Effect.succeed(bare(501, `method '${request.method}' not available`))
  if ((request.headers["transfer-encoding"] ?? "").toLowerCase() === "chunked") {
    return Effect.succeed(plain(501, "chunked transfer encoding not supported"))
  }
  const [, format, relative = ""] = /^\/api2\/(json|extjs)(\/.*)?$/s.exec(path) ?? []
  if (format === undefined) {
    return Effect.succeed(
      path.startsWith("/api2") ? plain(501, "no such uri") : plain(404, "Not Found", `no such file '${path}'`)
    )
  }
  if (machine.down.has("pmxcfs")) {
    return heldBack(
      machine,
      bare(500, "RPCEnvironment init request failed: Unable to load access control list: Connection refused")
    )
  }
  const token = apiToken(request)
  const identity = token === undefined ? undefined : machine.access.authenticate(token, now / 1000)
  if (identity === undefined) {
    return heldBack(machine, bare(401, token === undefined ? "No ticket" : "Authentication failed!"))
  }
  const parameters = parametersOf(request)
  if (isReply(parameters)) return Effect.succeed(parameters)
  return Effect.match(callApi(machine, identity, request.method, relative, parameters), {
    onFailure: (failure) => failureReply(failure, format),
    onSuccess: (answer) => answerReply(answer, format)
  })
}

/** An error that no handler gave: pveproxy's own, or a handler's death of something unforeseen. */
export const refused = (status: 500 | 595 | 596, message: string): Effect.Effect<SimResponse> =>
  Effect.map(
    Clock.currentTimeMillis,
    (now) => finished(failureReply(new ApiFailure({ status, message }), "json"), now)
  )

/** Answers a request: authentication, route, permission, parameters, existence, in this order (platform-facts 1.0, 3.4). */
export const handle = (machine: Machine, request: SimRequest): Effect.Effect<SimResponse> =>
  Effect.clockWith((clock) =>
    Effect.map(
      route(machine, request, clock.unsafeCurrentTimeMillis()),
      (reply) => finished(reply, clock.unsafeCurrentTimeMillis())
    )
  )
