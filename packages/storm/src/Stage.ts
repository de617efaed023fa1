import type { WholeRequest } from "@felhom/domain/port/WholeExchange"
import * as Dispatch from "@felhom/pve-sim/Dispatch"
import type { FaultRule } from "@felhom/pve-sim/Fault"
import * as FaultyDispatch from "@felhom/pve-sim/FaultyDispatch"
import type { Machine } from "@felhom/pve-sim/Machine"
import type { SimResponse } from "@felhom/pve-sim/SimWire"
import { Effect, Random, Runtime, type Scheduler } from "effect"
import { answerLimitMillis, hubLimitMillis, start } from "./Agent.ts"
import { Chance } from "./Chance.ts"
import type { Asked } from "./Destruction.ts"
import { type Content, Disk } from "./Disk.ts"
import { makeHome } from "./Home.ts"
import { Hub } from "./Hub.ts"
import { Ledger, type Moment } from "./Ledger.ts"
import { forgetKilled, Life, type Mixing, Timeline } from "./Timeline.ts"
import { type Outcome, wire } from "./Wire.ts"

/** A report as it came to the hub. */
export interface Come {
  readonly text: string
  readonly bytes: Uint8Array
  readonly headers: WholeRequest["headers"]
}

/** What is looked at, and when: each says by itself what it finds to be wrong. */
export interface Watch {
  /** A request is about to reach Proxmox. */
  readonly request?: (stage: Stage, asked: Asked) => void
  /** A file's bytes, or its name, are there for good. */
  readonly durable?: (stage: Stage, path: string) => void
  /** A report has come to the hub. */
  readonly report?: (stage: Stage, come: Come) => void
  readonly logged?: (stage: Stage, line: string) => void
  readonly askedRoot?: (stage: Stage, verb: string, line: string) => void
  /** The agent ended by itself. */
  readonly exited?: (stage: Stage, why: string) => void
  /** It was asked to end, as by SIGTERM, and has to be killed for it. */
  readonly lingered?: (stage: Stage) => void
  /** The agent is up, none of its fibers can go on, and it waits for no time and no answer. */
  readonly still?: (stage: Stage) => void
  /** After each turn of a fiber, and each leap of the clock. */
  readonly turned?: (stage: Stage) => void
  /** Once all that was to go wrong is over, and the host has had its time. */
  readonly calm?: (stage: Stage) => void
}

/** What becomes of requests to Proxmox on their way. */
export interface Way {
  /** So many of the next writes get no answer, though they are carried out. */
  deaf: number
  /** So many of the next requests find nobody. */
  closed: number
  /** So many of the next requests meet somebody else, with another certificate. */
  foreign: number
  /** Milliseconds that each request takes at most. */
  slow: number
}

/** A crash that waits for its moment: after so many more of these. */
export interface Armed {
  readonly on: "turn" | "disk" | "request" | "answer" | "envelope"
  left: number
  readonly power: boolean
  readonly restartAfter: number
}

const start0 = 1_800_000_000_000

/** After so many ms systemd kills what it has asked to end. */
const stopTimeout = 20_000
const utf8 = new TextDecoder()

const decoded = (text: string): string => decodeURIComponent(text.replaceAll("+", " "))

const parametersOf = (query: string, body: string): ReadonlyMap<string, string> =>
  new Map(
    `${query}&${body}`.split("&").filter((pair) => pair !== "").map((pair) => {
      const [name = "", value = ""] = pair.split("=")
      return [decoded(name), decoded(value)] as const
    })
  )

/** A world: the agent on its disk, Proxmox, the hub, and all that may happen to them. Schedules come one after the other in it. */
export class Stage {
  readonly chance: Chance
  readonly timeline: Timeline
  readonly ledger: Ledger
  machine: Machine
  readonly hub: Hub
  disk: Disk
  /** How many schedules there were in it before. */
  schedule = 0
  /** When the hub can be reached again, in elapsed ms. */
  hubBackAt = 0
  /** So many of the next reports meet somebody else than the hub, with another certificate. */
  hubForeign = 0
  readonly way: Way = { deaf: 0, closed: 0, foreign: 0, slow: 0 }
  armed: Armed | undefined
  /** Nothing goes wrong any more. */
  calm = false
  life: Life | undefined
  /** Lives so far. */
  lives = 0
  readonly #world = new Life()
  readonly #order: Chance
  readonly #whims: Chance
  readonly #watches: ReadonlyArray<Watch>
  /** What all but the agent runs in: the world's own time, and its own dice. */
  readonly #runtime: Runtime.Runtime<never>
  readonly #scheduler: Scheduler.Scheduler
  #close: Effect.Effect<void>
  #restartAt: number | undefined = 0
  #terminate: () => void = () => undefined
  /** Whoever asked the present life to end, and after how many ms it starts again. */
  #terminated: { readonly life: Life; readonly restartAfter: number } | undefined

  constructor(options: {
    readonly seed: number
    readonly disk: Content
    readonly mixing: Mixing
    readonly interval: number
    readonly faults: ReadonlyArray<FaultRule>
    readonly watches: ReadonlyArray<Watch>
    readonly keepsLines: boolean
  }) {
    this.chance = new Chance(options.seed)
    this.#order = this.chance.fork()
    this.timeline = new Timeline(start0, this.#order, options.mixing)
    this.#scheduler = this.timeline.scheduler(this.#world)
    this.#runtime = Effect.runSync(
      Effect.runtime<never>().pipe(
        Effect.withClock(this.timeline.clock(this.#world)),
        Effect.withRandom(Random.make(this.chance.below(1_000_000)))
      )
    )
    this.ledger = new Ledger(() => this.here, options.keepsLines)
    this.#watches = options.watches
    const home = makeHome(options.faults, options.seed)
    this.machine = this.inWorld(home.make)
    this.#close = home.close
    this.#whims = this.chance.fork()
    this.hub = new Hub(this.ledger, this.#whims, () => this.timeline.trueTime, options.interval)
    this.disk = this.#mounted(options.disk)
  }

  /** Another schedule begins where the one before ended: its seed alone says what comes of chance from here on. */
  anew(seed: number, mixing: Mixing): void {
    this.schedule += 1
    this.calm = false
    this.timeline.mixing = mixing
    this.chance.reseed(seed)
    this.#order.reseed(this.chance.below(2 ** 32))
    this.#whims.reseed(this.chance.below(2 ** 32))
  }

  /** Another Proxmox takes the place of the present one, as it was at the beginning. It has been up for as long. */
  replaceMachine(faults: ReadonlyArray<FaultRule>, seed: number): void {
    const { bootTime } = this.machine
    Effect.runFork(this.#close)
    const home = makeHome(faults, seed)
    this.machine = this.inWorld(home.make)
    this.machine.bootTime = bootTime
    this.#close = home.close
  }

  get here(): Moment {
    const { elapsed, hostTime, turns } = this.timeline
    return { elapsed, hostTime, turn: turns }
  }

  /** Something that is over at once, in the world's own time. */
  inWorld<A, E>(effect: Effect.Effect<A, E>): A {
    return Effect.runSync(effect.pipe(
      Effect.withClock(this.timeline.clock(this.#world)),
      Effect.withRandom(Random.make(this.chance.below(1_000_000)))
    ))
  }

  #forked<A>(effect: Effect.Effect<A>, done: (value: A) => void): void {
    const fiber = Runtime.runFork(this.#runtime)(effect, { scheduler: this.#scheduler })
    fiber.addObserver((exit) => {
      if (exit._tag === "Success") done(exit.value)
    })
  }

  /** What somebody does that may take a while. */
  begin(effect: Effect.Effect<unknown>): void {
    this.#forked(effect, () => undefined)
  }

  #mounted(content: Content): Disk {
    const disk = new Disk(content)
    disk.before = (path) => {
      if (disk !== this.disk) return false
      if (this.#due("disk")) {
        this.ledger.note(`the power goes at a step of ${path}`)
        this.#crash()
        return false
      }
      return true
    }
    disk.after = (path) => {
      for (const { durable } of this.#watches) durable?.(this, path)
    }
    return disk
  }

  /** Counts towards the crash that is armed; true when it is now. */
  #due(on: Armed["on"]): boolean {
    if (this.armed?.on !== on || this.life === undefined) return false
    this.armed.left -= 1
    return this.armed.left < 0
  }

  /** Asks the agent to end, as systemd does: it starts again so many ms after it has. */
  terminate(restartAfter: number): void {
    const { life } = this
    if (life === undefined || this.#terminated?.life === life) return
    this.#terminated = { life, restartAfter }
    this.timeline.after(stopTimeout, this.#world, () => {
      if (life !== this.life) return
      for (const { lingered } of this.#watches) lingered?.(this)
      this.#killed(life, false, restartAfter)
    })
    this.#terminate()
  }

  #crash(): void {
    const { armed, life } = this
    if (armed === undefined || life === undefined) return
    this.armed = undefined
    this.#killed(life, armed.power, armed.restartAfter)
  }

  #killed(life: Life, power: boolean, restartAfter: number): void {
    this.timeline.end(life)
    this.life = undefined
    const failing = { condition: this.disk.condition, failsAfter: this.disk.failsAfter }
    this.disk = this.#mounted(power ? this.disk.cut(this.chance) : this.disk.present())
    this.disk.condition = failing.condition
    this.disk.failsAfter = failing.failsAfter
    this.#restartAt = this.timeline.elapsed + restartAfter
    this.ledger.note(power ? "the agent's host lost its power" : "the agent was killed")
  }

  #boot(): void {
    this.#restartAt = undefined
    const life = new Life()
    this.life = life
    this.lives += 1
    this.ledger.note(`the agent starts, life ${this.lives}`)
    this.#terminate = start({
      timeline: this.timeline,
      life,
      disk: this.disk,
      chance: this.chance,
      proxmox: wire(this.timeline, life, answerLimitMillis, (request, done) => this.#toProxmox(life, request, done)),
      hub: wire(this.timeline, life, hubLimitMillis, (request, done) => this.#toHub(life, request, done)),
      askedRoot: (verb, line) => {
        for (const { askedRoot } of this.#watches) askedRoot?.(this, verb, line)
      },
      logged: (line) => {
        this.ledger.note(`log ${line.slice(0, 200)}`)
        for (const { logged } of this.#watches) logged?.(this, line)
      },
      exited: (why) => {
        this.timeline.end(life)
        this.life = undefined
        if (this.#terminated?.life === life) {
          this.ledger.note("the agent ended as it was asked to")
          this.#restartAt = this.timeline.elapsed + this.#terminated.restartAfter
          return
        }
        this.ledger.note(`the agent ended: ${why.slice(0, 300)}`)
        this.#restartAt = this.timeline.elapsed + 5000
        for (const { exited } of this.#watches) exited?.(this, why)
      }
    })
  }

  #toProxmox(life: Life, request: WholeRequest, done: (outcome: Outcome) => void): void {
    if (life !== this.life) return
    if (this.#due("request")) {
      this.ledger.note(`killed before ${request.method} ${request.url}`)
      return this.#crash()
    }
    const { way } = this
    if (way.closed > 0) {
      way.closed -= 1
      return done({ _tag: "refused" })
    }
    if (way.foreign > 0) {
      way.foreign -= 1
      return done({ _tag: "foreign" })
    }
    const sentAt = this.timeline.hostTime
    if (way.slow === 0) return this.#reaches(life, sentAt, request, done)
    this.timeline.after(this.chance.below(way.slow), this.#world, () => this.#reaches(life, sentAt, request, done))
  }

  #reaches(life: Life, sentAt: number, request: WholeRequest, done: (outcome: Outcome) => void): void {
    const { pathname, search } = new URL(request.url)
    const body = request.body?.bytes ?? new Uint8Array(0)
    const asked: Asked = {
      method: request.method,
      path: decodeURIComponent(pathname).replace("/api2/json", ""),
      parameters: parametersOf(search.slice(1), utf8.decode(body)),
      headers: request.headers,
      sentAt
    }
    for (const watch of this.#watches) watch.request?.(this, asked)
    if (asked.method !== "GET") {
      this.ledger.note(`${asked.method} ${asked.path} ${JSON.stringify([...asked.parameters])}`)
    }
    const deaf = asked.method !== "GET" && this.way.deaf > 0
    if (deaf) this.way.deaf -= 1
    const handle = this.calm ? Dispatch.handle : FaultyDispatch.handle
    const headers: { [name: string]: string } = { ...request.headers, "content-length": String(body.length) }
    if (request.body !== undefined) headers["content-type"] = request.body.type
    this.#forked(
      handle(this.machine, { method: request.method, path: pathname, query: search.slice(1), headers, body }),
      (response) => {
        if (life !== this.life) return
        if (this.#due("answer")) {
          this.ledger.note(`killed before the answer to ${asked.method} ${asked.path} came`)
          return this.#crash()
        }
        if (!deaf) done(this.#outcomeOf(response))
      }
    )
  }

  #outcomeOf({ body, broken, status }: SimResponse): Outcome {
    if (broken === "reset") return { _tag: "reset" }
    if (broken === "truncated") return { _tag: "broken" }
    return { _tag: "answer", status, text: utf8.decode(body) }
  }

  #toHub(life: Life, request: WholeRequest, done: (outcome: Outcome) => void): void {
    if (life !== this.life) return
    if (this.timeline.elapsed < this.hubBackAt) return done({ _tag: "refused" })
    if (this.hubForeign > 0) {
      this.hubForeign -= 1
      return done({ _tag: "foreign" })
    }
    const bytes = request.body?.bytes ?? new Uint8Array(0)
    const text = utf8.decode(bytes)
    const envelope = this.hub.receive(JSON.parse(text))
    for (const { report } of this.#watches) report?.(this, { text, bytes, headers: request.headers })
    if (this.#due("envelope")) {
      this.ledger.note("killed before the hub's answer came")
      return this.#crash()
    }
    done({ _tag: "answer", status: 200, text: envelope })
  }

  /** Goes on until so much time has passed, or something that must never be was. */
  until(elapsed: number, enough: () => boolean = () => false): void {
    const { ledger, timeline } = this
    while (ledger.violation === undefined) {
      if (this.life === undefined && this.#restartAt !== undefined && timeline.elapsed >= this.#restartAt) this.#boot()
      if (timeline.turn()) {
        if (this.#due("turn")) this.#crash()
        for (const { turned } of this.#watches) turned?.(this)
        continue
      }
      if (this.life !== undefined && !timeline.waits(this.life)) {
        for (const { still } of this.#watches) still?.(this)
      }
      if (enough()) return
      const next = this.life === undefined ? Math.min(elapsed, this.#restartAt ?? elapsed) : elapsed
      if (!timeline.leap(next) && timeline.elapsed >= elapsed && next === elapsed) return
      for (const { turned } of this.#watches) turned?.(this)
    }
  }

  /** Something that happens after so many ms, whatever becomes of the agent. */
  later(millis: number, happens: () => void): void {
    const { schedule } = this
    this.timeline.after(millis, this.#world, () => {
      if (!this.calm && schedule === this.schedule) happens()
    })
  }

  /** Nobody holds the host any more. */
  released(): void {
    this.ledger.heldSince = undefined
    this.disk.put("/state/hold", undefined)
  }

  /** Tells the watches that the host has had its time. */
  judge(): void {
    for (const { calm } of this.#watches) calm?.(this)
  }

  /** Ends it all. */
  end(): void {
    if (this.life !== undefined) this.timeline.end(this.life)
    this.timeline.end(this.#world)
    Effect.runFork(this.#close)
    forgetKilled()
  }
}
