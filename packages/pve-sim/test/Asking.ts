import { PveSim } from "@felhom/pve-sim/PveSim"
import type { SimResponse } from "@felhom/pve-sim/SimWire"
import { Effect } from "effect"

/** An answer with its body read. */
export interface Told {
  readonly status: number
  readonly reason: string
  readonly data: unknown
  readonly errors: unknown
  readonly headers: SimResponse["headers"]
}

export const node = "/api2/json/nodes/demo-felhom"

/** The secrets that `ask` uses; give them to the simulated host. */
export const secrets = {
  "felhom-agent@pve!agent": "agent-secret",
  "felhom-agent@pve!noacl": "noacl-secret",
  "felhom-agent@pve!audit": "audit-secret"
}

/** Asks the simulated host as `token` of felhom-agent@pve; `form` becomes a body, `path` may have a query. */
export const ask = (
  method: string,
  path: string,
  form?: string,
  token = "agent"
): Effect.Effect<Told, never, PveSim> =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const body = new TextEncoder().encode(form ?? "")
    const [rawPath = "", query = ""] = path.split("?")
    const response = yield* sim.handle({
      method,
      path: rawPath,
      query,
      headers: {
        authorization: `PVEAPIToken=felhom-agent@pve!${token}=${token}-secret`,
        ...(form === undefined ? {} : { "content-length": String(body.length) })
      },
      body
    })
    const text = new TextDecoder().decode(response.body)
    const value: unknown = text.startsWith("{") ? JSON.parse(text) : {}
    const members = typeof value === "object" && value !== null ? new Map(Object.entries(value)) : new Map()
    return {
      status: response.status,
      reason: response.reason,
      data: members.get("data"),
      errors: members.get("errors"),
      headers: response.headers
    }
  })

/** The UPID that a call answered. */
export const upidOf = (told: Told): string => String(told.data)

export const statusOf = (upid: string) => ask("GET", `${node}/tasks/${encodeURIComponent(upid)}/status`)
export const logOf = (upid: string) => ask("GET", `${node}/tasks/${encodeURIComponent(upid)}/log`)
