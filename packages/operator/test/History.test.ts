import { it } from "@effect/vitest"
import { HostHistory } from "@felhom/domain/HostHistory"
import { Effect, Schema } from "effect"
import { expect } from "vitest"
import { folder, makeHost, makeHub, makePerson } from "./TrustWorld.ts"

it.scopedLive("felhom history shows what a host reported to its hub, and says which metrics there are", () =>
  Effect.gen(function*() {
    const hub = yield* makeHub
    const me = yield* makePerson(hub, yield* hub.token("viewer"))
    const host = yield* makeHost(hub, "attic", yield* folder)
    const bearer = yield* hub.token("host")
    for (const sequence of [1, 2, 3]) yield* host.send({ sequence }, { bearer, sign: null })

    const shown = yield* me.felhom(["history", "attic", "--since", "1h"])
    expect(shown).toMatchObject({ code: 0, err: "" })
    expect(shown.out).toContain("attic")
    for (const metric of ["cpu", "memory", "load"]) expect(shown.out).toContain(metric)

    const asJson = yield* me.felhom(["history", host.id, "--output", "json"])
    const history = yield* Schema.decode(Schema.parseJson(HostHistory))(asJson.out)
    // Two points when a span of five minutes happened to end meanwhile.
    expect(history.points.reduce((sum, { metrics }) => sum + (metrics["cpu"]?.count ?? 0), 0)).toBe(3)

    const unknown = yield* me.felhom(["history", "attic", "--metric", "storage:nope"])
    expect(unknown.code).toBe(2)
    expect(unknown.err).toContain("nothing is known of the metric \"storage:nope\"")
    expect(unknown.err).toContain("cpu")
    expect(yield* me.felhom(["history", "attic", "--since", "yesterday"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("24h")
    })
    expect((yield* me.felhom(["history", "cellar"])).code).not.toBe(0)
  }))
