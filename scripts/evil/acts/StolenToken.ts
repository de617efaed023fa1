import { FileSystem, HttpClient, HttpClientRequest } from "@effect/platform"
import type { HostSummary } from "@felhom/domain/HubApi"
import { parsePins } from "@felhom/domain/PeerPin"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import { Effect, Either, Option, Schema } from "effect"
import { letIn } from "../../story/Enrolment.ts"
import { makeToken, makeViewer, startHub, type Viewer } from "../../story/Hub.ts"
import { run, type Running, start } from "../../story/Program.ts"
import { StoryFailed } from "../../story/StoryFailed.ts"
import { until } from "../../story/Until.ts"
import type { Act } from "../Act.ts"
import { makeHost } from "../World.ts"
import { copyOfLiving } from "./CopyOfLiving.ts"

const names = {
  unsigned: "a stolen hub token, and a report that nobody signed",
  forged: "a stolen hub token, and a report that another key signed",
  elsewhere: "a stolen hub token, for a host that it does not belong to",
  twins: "a stolen state folder, with token and key, on another machine"
}

const invariant = "a token is good for the host alone that it was made for"

const failed = (error: { readonly message: string }) => new StoryFailed({ message: error.message })

type Environment = { readonly [name: string]: string }

const daemon = (name: string, environment: Environment) =>
  start({ name, bundle: "main.js", args: ["daemon"], environment, printsReady: false })

/** The one host that the hub knows, in the hub's own words. */
const hostAt = (viewer: Viewer) =>
  Effect.flatMap(Effect.mapError(viewer.hosts.list(), failed), (hosts) =>
    hosts.length === 1 && hosts[0] !== undefined
      ? Effect.succeed(hosts[0])
      : Effect.fail(new StoryFailed({ message: `the hub knows ${hosts.length} hosts, and one was let in` })))

const untilHost = (viewer: Viewer, what: string, holds: (host: HostSummary) => boolean) =>
  until(what, Effect.map(Effect.option(hostAt(viewer)), Option.filter(holds)))

/** What the hub says that a person has to look at. */
const alarmed = (viewer: Viewer, words: RegExp) =>
  Effect.map(
    untilHost(viewer, `the hub raises an alarm: ${words.source}`, ({ attention }) =>
      attention.some((sentence) =>
        words.test(sentence)
      )),
    ({ attention }) => `the hub alarms: ${attention.find((sentence) => words.test(sentence)) ?? ""}`
  )

const untilLogged = (agent: Running, words: RegExp) =>
  until(
    `${agent.name} logs ${words.source}`,
    Effect.map(agent.log, (text) => Option.fromNullable(words.exec(text)?.[0]))
  )

const Body = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))

/** What the host said last, with a number far ahead, and unsigned. */
const unsignedReport = (viewer: Viewer, hub: { readonly url: string; readonly fingerprint: string }, token: string) =>
  Effect.gen(function*() {
    const { host: { id }, sequence } = yield* hostAt(viewer)
    const { report } = yield* viewer.hosts.report({ path: { hostId: id } })
    const said = yield* Schema.decode(Body)(Buffer.from(report.payload, "base64").toString("utf8"))
    const pins = Either.getOrThrow(parsePins(hub.fingerprint))
    const response = yield* HttpClientRequest.post(`${hub.url}/api/v1/hosts/${id}/report`).pipe(
      HttpClientRequest.bearerToken(token),
      HttpClientRequest.bodyUnsafeJson({ ...said, sequence: (sequence ?? 0) + 1_000_000 }),
      (request) => Effect.flatMap(HttpClient.HttpClient, (client) => client.execute(request)),
      Effect.flatMap((response) => Effect.map(response.text, (text) => ({ status: response.status, text }))),
      Effect.provide(PinnedHttp.layer({ peer: "the hub", pins }))
    )
    return response
  }).pipe(Effect.mapError(failed))

/** The hub shows what the host itself said, in which the guest runs; every thief's own host has none that does. */
const stillItsOwn = (viewer: Viewer) =>
  Effect.flatMap(
    hostAt(viewer),
    ({ guests, sequence }) =>
      guests?.running === 1 && sequence !== null && sequence < 1_000_000
        ? Effect.void
        : Effect.fail(new StoryFailed({ message: "THE HUB SHOWS WHAT A THIEF SAID" }))
  )

/** Here the hub is an honest one, and the attacker has got hold of what a host keeps. */
export const stolenToken: Act = {
  attacks: Object.values(names).map((name) => ({ name, invariant })),
  plain: [],
  play: ({ folder, judge }) =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const data = `${folder}/hub`
      const hub = yield* startHub({ data, listen: "127.0.0.1:0" })
      const admin = {
        FELHOM_HUB_URL: hub.url,
        FELHOM_HUB_FINGERPRINT: hub.fingerprint,
        FELHOM_TOKEN: yield* makeToken(data, "admin", "drill"),
        FELHOM_KNOWN_HOSTS: `${folder}/known-hosts`
      }
      const viewer = yield* Effect.mapError(makeViewer(hub, yield* makeToken(data, "viewer", "drill")), failed)
      const atHub = { FELHOM_AGENT_HUB_URL: hub.url, FELHOM_AGENT_HUB_FINGERPRINT: hub.fingerprint }
      const { environment: onHost } = yield* makeHost(folder, "victim")
      const { environment: onThiefs, simulator } = yield* makeHost(folder, "thief")
      yield* simulator.console({ _tag: "guest.status", vmid: 9999, status: "stopped" })
      const own = (name: string) => ({
        FELHOM_AGENT_STATE_DIR: `${folder}/${name}`,
        FELHOM_AGENT_RUNTIME_DIR: `${folder}/${name}-run`
      })
      const state = own("victim").FELHOM_AGENT_STATE_DIR
      const oneTimeToken = (yield* run("felhom.js", ["enrol"], admin)).trim()
      yield* letIn({ host: { ...onHost, ...atHub, ...own("victim") }, admin, oneTimeToken })
      const token = (yield* Effect.mapError(fs.readFileString(`${state}/hub-token`), failed)).trim()
      const victim = yield* daemon("the agent of the victim", { ...onHost, ...atHub, ...own("victim") })
      yield* untilHost(viewer, "the hub takes the host's report", ({ guests }) => guests?.running === 1)

      const stolen = (name: string, without: ReadonlyArray<string>) =>
        Effect.gen(function*() {
          yield* copyOfLiving(state, `${folder}/${name}`)
          for (const file of yield* fs.readDirectory(`${folder}/${name}`)) {
            if (without.some((start) => file.startsWith(start))) yield* fs.remove(`${folder}/${name}/${file}`)
          }
          return { ...onThiefs, ...atHub, ...own(name) }
        }).pipe(Effect.mapError((error) => new StoryFailed({ message: error.message })))

      yield* judge(
        names.unsigned,
        Effect.gen(function*() {
          const { status, text } = yield* unsignedReport(viewer, hub, token)
          if (status !== 403) {
            return yield* new StoryFailed({ message: `the hub answered ${status}: ${text.slice(0, 200)}` })
          }
          const said = yield* alarmed(viewer, /is not signed, and this host's key is pinned/)
          yield* stillItsOwn(viewer)
          return said
        })
      )
      yield* judge(
        names.forged,
        Effect.gen(function*() {
          const thief = yield* daemon("a thief without the key", yield* stolen("keyless", ["host-key", "daemon.lock"]))
          const said = yield* alarmed(viewer, /not by this host's pinned key/)
          yield* stillItsOwn(viewer)
          yield* thief.stop
          return said
        })
      )
      yield* judge(
        names.elsewhere,
        Effect.gen(function*() {
          const thief = yield* daemon("a thief elsewhere", {
            ...onThiefs,
            ...atHub,
            ...own("elsewhere"),
            FELHOM_AGENT_HUB_TOKEN: token
          })
          const said = yield* untilLogged(thief, /this token belongs to host [0-9a-f]+ and not to [0-9a-f]+/)
          yield* stillItsOwn(viewer)
          yield* thief.stop
          return `the hub answers: ${said}`
        })
      )
      yield* judge(
        names.twins,
        Effect.gen(function*() {
          const thief = yield* daemon("a thief with all of it", yield* stolen("twin", ["daemon.lock"]))
          const said = yield* alarmed(viewer, /two agents report with this host's identity/)
          const neither = /two agents report with this host's identity/
          yield* Effect.all([untilLogged(thief, neither), untilLogged(victim, neither)], { concurrency: 2 })
          yield* thief.stop
          return said
        })
      )
      yield* victim.stop
      yield* hub.running.stop
    })
}
