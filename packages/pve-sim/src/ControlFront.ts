import { Context, Effect, FiberSet, Layer, Option, ParseResult, Schema, type Scope } from "effect"
import * as NodeHttp from "node:http"
import { ConsoleChange, type ConsoleRefused } from "./ConsoleChange.ts"
import { HttpsFront } from "./HttpsFront.ts"
import { listen, ListenFailed } from "./Listening.ts"
import { PveSim } from "./PveSim.ts"
import { RootDisks, SimDisk } from "./RootDisks.ts"

/**
 * Plain HTTP on loopback for whoever drives a demonstration: counts of the wire, the certificate to serve, and what a person
 * with root would do on the host's console. Whoever reaches it owns the simulated host, and nothing else.
 */
export class ControlFront extends Context.Tag("felhom/pve-sim/ControlFront")<ControlFront, {
  readonly url: string
}>() {
  static readonly layer = (
    options: { readonly host: string; readonly port: number }
  ): Layer.Layer<ControlFront, ListenFailed, PveSim | HttpsFront> =>
    Layer.scoped(ControlFront, make(options)).pipe(Layer.ensureRequirementsType<PveSim | HttpsFront>())
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host)

interface Reply {
  readonly status: number
  readonly body: unknown
}

const Serve = Schema.Struct({ serve: Schema.Literal("original", "renewed", "foreign") })
const Role = Schema.Struct({ roleid: Schema.NonEmptyString, privs: Schema.Array(Schema.String) })
const GuestWish = Schema.Struct({
  status: Schema.optional(Schema.Literal("running", "stopped")),
  /** Keys of the configuration; null removes one. */
  set: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.NullOr(Schema.String) })),
  /** A snapshot to take. */
  snapshot: Schema.optional(Schema.NonEmptyString),
  stubborn: Schema.optional(Schema.Boolean)
})

const Port = Schema.Union(Schema.Struct({ plug: SimDisk }), Schema.Struct({ pull: Schema.NonEmptyString }))

const changesOf = (vmid: number, wish: typeof GuestWish.Type): ReadonlyArray<ConsoleChange> => [
  ...Object.entries(wish.set ?? {}).map(([key, value]) => ({ _tag: "guest.set", vmid, key, value } as const)),
  ...(wish.status === undefined ? [] : [{ _tag: "guest.status", vmid, status: wish.status } as const]),
  ...(wish.snapshot === undefined
    ? []
    : [{ _tag: "guest.snapshot", vmid, name: wish.snapshot, description: "" } as const]),
  ...(wish.stubborn === undefined ? [] : [{ _tag: "guest.stubborn", vmid, stubborn: wish.stubborn } as const])
]

const strict = { onExcessProperty: "error" } as const

const bodyOf = (request: NodeHttp.IncomingMessage): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    request.setEncoding("utf8")
    request.on("data", (chunk: string) => {
      text += chunk
    })
    request.on("end", () => resolve(text))
    request.on("error", reject)
  })

const firstIssue = (error: ParseResult.ParseError): string => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return issue === undefined
    ? error.message
    : [issue.path.map(String).join("."), issue.message].filter((part) => part !== "").join(": ")
}

const usage = "GET /wire, /requests, /certificates; POST /certificates, /roles, /guests/{vmid}, /disks, /console"

const make = (
  options: { readonly host: string; readonly port: number }
): Effect.Effect<Context.Tag.Service<ControlFront>, ListenFailed, PveSim | HttpsFront | Scope.Scope> =>
  Effect.gen(function*() {
    const address = `${options.host}:${options.port}`
    if (!isLoopback(options.host)) {
      return yield* new ListenFailed({ reason: "not-loopback", address, detail: "" })
    }
    const sim = yield* PveSim
    const front = yield* HttpsFront
    const disks = yield* Effect.serviceOption(RootDisks)
    const run = yield* FiberSet.makeRuntime()

    const done: Reply = { status: 200, body: { done: true } }

    const post = (path: string, text: string): Effect.Effect<Reply, ParseResult.ParseError | ConsoleRefused> =>
      Effect.gen(function*() {
        const decode = <A, I>(schema: Schema.Schema<A, I>) => Schema.decode(Schema.parseJson(schema), strict)(text)
        const vmid = /^\/guests\/(\d+)$/.exec(path)?.[1]
        if (path === "/certificates") yield* front.serve((yield* decode(Serve)).serve)
        else if (path === "/roles") yield* sim.change({ _tag: "role.set", ...(yield* decode(Role)) })
        else if (path === "/disks" && Option.isSome(disks)) {
          const asked = yield* decode(Port)
          yield* "plug" in asked ? disks.value.plug(asked.plug) : disks.value.pull(asked.pull)
        } else if (path === "/console") yield* sim.change(yield* decode(ConsoleChange))
        else if (vmid !== undefined) {
          yield* Effect.forEach(changesOf(Number(vmid), yield* decode(GuestWish)), sim.change, { discard: true })
        } else return { status: 404, body: { error: `no such path: ${path}; there are ${usage}` } }
        return done
      })

    const get = (path: string): Effect.Effect<Reply> => {
      const body: Effect.Effect<unknown> | undefined = path === "/wire"
        ? front.wire
        : path === "/certificates"
        ? front.certificates
        : path === "/requests"
        ? sim.requests
        : undefined
      return body === undefined
        ? Effect.succeed({ status: 404, body: { error: `no such path: ${path}; there are ${usage}` } })
        : Effect.map(body, (value) => ({ status: 200, body: value }))
    }

    const answer = (request: NodeHttp.IncomingMessage, response: NodeHttp.ServerResponse): Effect.Effect<void> =>
      Effect.gen(function*() {
        const path = (request.url ?? "/").split("?")[0] ?? "/"
        const text = yield* Effect.promise(() => bodyOf(request))
        const reply = yield* (request.method === "POST"
          ? post(path, text).pipe(
            Effect.catchTags({
              ParseError: (error) => Effect.succeed({ status: 400, body: { error: firstIssue(error) } }),
              ConsoleRefused: (error) => Effect.succeed({ status: 409, body: { error: error.message } })
            })
          )
          : get(path))
        yield* Effect.sync(() => {
          response.writeHead(reply.status, { "content-type": "application/json" })
          response.end(`${JSON.stringify(reply.body)}\n`)
        })
      })

    const server = NodeHttp.createServer((request, response) => {
      run(answer(request, response))
    })
    const port = yield* listen(server, options)
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    return { url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}` }
  })
