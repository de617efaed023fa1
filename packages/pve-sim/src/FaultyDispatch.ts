import { Effect } from "effect"
import * as Console from "./Console.ts"
import * as Dispatch from "./Dispatch.ts"
import type { RequestFault } from "./FaultPlan.ts"
import { type Machine, takeTime } from "./Machine.ts"
import { decodePath } from "./Parameters.ts"
import type { SimRequest, SimResponse } from "./SimWire.ts"

const has = (faults: ReadonlyArray<RequestFault>, tag: RequestFault["_tag"], when?: "before" | "after"): boolean =>
  faults.some((fault) => fault._tag === tag && (when === undefined || ("when" in fault && fault.when === when)))

const padded = (response: SimResponse, bytes: number): SimResponse => {
  const body = new Uint8Array(Math.max(bytes, response.body.length)).fill(0x20)
  body.set(response.body)
  return {
    ...response,
    body,
    headers: response.headers.map(([name, value]) => [name, name === "Content-Length" ? String(body.length) : value])
  }
}

/** Answers a request as the host does on a day on which what the plan says goes wrong. */
export const handle = (machine: Machine, request: SimRequest): Effect.Effect<SimResponse> =>
  Effect.suspend(() => {
    const path = decodePath(request.path).replace(/^\/api2\/\w+/, "")
    const faults = machine.faults.ofRequest(request.method, path)
    return faults.length === 0 ? Dispatch.handle(machine, request) : faulty(machine, request, faults)
  })

const faulty = (
  machine: Machine,
  request: SimRequest,
  faults: ReadonlyArray<RequestFault>
): Effect.Effect<SimResponse> =>
  Effect.gen(function*() {
    for (const fault of faults) {
      // A change that makes no sense now, such as stopping a guest that is gone, is one that nobody makes.
      if (fault._tag === "console") yield* Effect.ignore(Console.apply(machine, fault.change))
      if (fault._tag === "slow") yield* takeTime(machine, fault.millis)
    }
    const early = has(faults, "answer", "before") || has(faults, "reset", "before")
    let response = yield* (early ? Dispatch.refused(500, "input/output error") : Dispatch.handle(machine, request))
    for (const fault of faults) {
      if (fault._tag !== "answer") continue
      const usual = { 500: "input/output error", 595: "Connection refused", 596: "Connection timed out" }[fault.status]
      response = yield* Dispatch.refused(fault.status, fault.message ?? usual)
    }
    for (const fault of faults) if (fault._tag === "padded") response = padded(response, fault.bytes)
    const certificate = faults.find((fault) => fault._tag === "certificate")
    return {
      ...response,
      ...(has(faults, "reset") ? { broken: "reset" as const } : {}),
      ...(has(faults, "truncate") ? { broken: "truncated" as const } : {}),
      ...(has(faults, "chunked") ? { chunked: true } : {}),
      ...(certificate === undefined
        ? {}
        : { certificate: { serve: certificate.serve, alternating: certificate.alternating } })
    }
  })
