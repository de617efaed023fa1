import { EpochSeconds } from "@felhom/domain/Time"
import { formatUpid, parseUpid, type Upid, UpidParts } from "@felhom/domain/Upid"
import { Clock, Data, Deferred, Duration, Effect, Either, Fiber, Random, type Scope } from "effect"
import type { FaultPlan } from "./FaultPlan.ts"
import type { World } from "./World.ts"

/** A worker's `die`: the task ends with this text as its exit status. */
export class TaskFailure extends Data.TaggedError("TaskFailure")<{
  readonly message: string
  /** The worker exits without a last line, so nobody can tell how it ended. */
  readonly mute?: true
}> {}

/** What a worker can do besides changing the world. */
export interface Worker {
  readonly log: (line: string) => Effect.Effect<void>
  /** A line that counts: a task with warnings ends as `WARNINGS: n` (platform-facts 4.2). */
  readonly warn: (text: string) => Effect.Effect<void>
  /** Takes simulated time; fails when the worker gets SIGTERM meanwhile, so that its own cleanup runs. */
  readonly take: (duration: Duration.DurationInput) => Effect.Effect<void, TaskFailure>
  /** Fails when the worker gets SIGTERM, and never succeeds. */
  readonly sigterm: Effect.Effect<never, TaskFailure>
  /** The worker's process id, which some log lines name. */
  readonly pid: number
}

export interface Task {
  readonly upid: Upid
  readonly parts: UpidParts
  readonly log: Array<string>
  /** Seconds since the epoch; undefined while the worker lives. */
  endTime: number | undefined
  /** Counts up from task to task as they end: two may end in one second. */
  endedAs: number
  readonly terminate: Deferred.Deferred<never, TaskFailure>
  fiber: Fiber.RuntimeFiber<void> | undefined
}

/** `user@realm!name` taken apart, as lists and status show a task's user. */
export const ownerOf = (id: string): { readonly user: string; readonly tokenid?: string } => {
  const [user = id, tokenid] = id.split("!")
  return tokenid === undefined ? { user } : { user, tokenid }
}

/** The exit status is the last line of the log and nothing else: of a killed worker, nobody knows (platform-facts 4.2). */
export const exitStatus = (task: Task): string => {
  const last = task.log.at(-1) ?? ""
  if (last === "TASK OK") return "OK"
  return /^TASK ERROR: (.*)$/s.exec(last)?.[1] ?? /^TASK (WARNINGS: \d+)$/.exec(last)?.[1] ?? "unexpected status"
}

/** The normalised kinds that `statusfilter` takes. */
export const exitKind = (status: string): "ok" | "warning" | "error" | "unknown" =>
  status === "OK"
    ? "ok"
    : status.startsWith("WARNINGS: ")
    ? "warning"
    : status === "unexpected status"
    ? "unknown"
    : "error"

interface Setup {
  readonly node: string
  readonly bootTime: number
  readonly speed: number
  readonly scope: Scope.Scope
  readonly faults: FaultPlan
  readonly before: World["cluster_tasks_at_start"]
}

/** All tasks of the host, running and finished, in the order of their start (platform-facts 4). */
export class TaskTable {
  #tasks: Array<Task> = []
  readonly #setup: Setup
  #pid: number
  #ended = 0

  private constructor(setup: Setup) {
    this.#setup = setup
    this.#pid = 467
  }

  static make(setup: Setup): Effect.Effect<TaskTable> {
    return Effect.gen(function*() {
      const table = new TaskTable(setup)
      for (const old of setup.before.toReversed()) {
        const parts = parseUpid(old.upid)
        if (Either.isLeft(parts)) continue
        if (old.status === undefined || old.endtime === undefined) continue
        const last = old.status === "OK" || old.status.startsWith("WARNINGS: ") ? old.status : `ERROR: ${old.status}`
        table.#tasks.push({
          upid: formatUpid(parts.right),
          parts: parts.right,
          log: [`TASK ${last}`],
          endTime: old.endtime,
          endedAs: table.#ended++,
          terminate: yield* Deferred.make<never, TaskFailure>(),
          fiber: undefined
        })
      }
      return table
    })
  }

  get all(): ReadonlyArray<Task> {
    return this.#tasks
  }

  find(upid: string): Task | undefined {
    return this.#tasks.find((task) => task.upid === upid)
  }

  /**
   * Forks a worker and gives its UPID at once, as Proxmox does once the child has signalled that it lives. The worker's
   * fiber belongs to the simulator: it goes on when the request's fiber is gone.
   */
  start(job: {
    readonly type: string
    readonly id: string
    readonly user: string
    readonly work: (worker: Worker) => Effect.Effect<void, TaskFailure>
    /** What was taken before the worker began, given back where it fails before its work. */
    readonly giveBack?: Effect.Effect<void>
  }): Effect.Effect<Upid> {
    return Effect.gen(this, function*() {
      const parts = yield* this.#parts(job)
      const terminate = yield* Deferred.make<never, TaskFailure>()
      const task: Task = {
        upid: formatUpid(parts),
        parts,
        log: [],
        endTime: undefined,
        endedAs: 0,
        terminate,
        fiber: undefined
      }
      this.#tasks.push(task)
      // One that is killed before its first step has an end all the same, so it may be interrupted from that step on only.
      task.fiber = yield* Effect.uninterruptible(
        Effect.forkIn(this.#run(task, job.work, job.giveBack ?? Effect.void), this.#setup.scope)
      )
      return task.upid
    })
  }

  #run(
    task: Task,
    work: (worker: Worker) => Effect.Effect<void, TaskFailure>,
    giveBack: Effect.Effect<void>
  ): Effect.Effect<void> {
    let warnings = 0
    const log = (line: string) =>
      Effect.sync(() => {
        task.log.push(line)
      })
    const worker: Worker = {
      log,
      warn: (text) => {
        warnings++
        return log(`WARN: ${text}`)
      },
      take: (duration) =>
        Effect.sleep(Duration.times(Duration.decode(duration), 1 / this.#setup.speed)).pipe(
          Effect.raceFirst(Deferred.await(task.terminate))
        ),
      sigterm: Deferred.await(task.terminate),
      pid: task.parts.pid
    }
    return this.#faulty(task.parts.type, worker, work(worker), giveBack).pipe(
      Effect.matchEffect({
        onFailure: (failure) => failure.mute === true ? Effect.void : log(`TASK ERROR: ${failure.message}`),
        onSuccess: () => log(warnings === 0 ? "TASK OK" : `TASK WARNINGS: ${warnings}`)
      }),
      Effect.interruptible,
      Effect.ensuring(Effect.map(Clock.currentTimeMillis, (now) => {
        task.endTime = Math.floor(now / 1000)
        task.endedAs = this.#ended++
      }))
    )
  }

  #faulty(
    type: string,
    worker: Worker,
    work: Effect.Effect<void, TaskFailure>,
    giveBack: Effect.Effect<void>
  ): Effect.Effect<void, TaskFailure> {
    return this.#setup.faults.ofTask(type).reduce((done, { message, outcome }) => {
      switch (outcome) {
        case "fail":
          return Effect.zipRight(worker.take("100 millis"), Effect.fail(new TaskFailure({ message }))).pipe(
            Effect.tapError(() => giveBack)
          )
        case "warn":
          return Effect.zipLeft(done, worker.warn(message))
        case "hang":
          return Effect.tapError(worker.sigterm, () => giveBack)
        case "vanish":
          return Effect.zipRight(done, Effect.fail(new TaskFailure({ message, mute: true })))
      }
    }, work)
  }

  /** Notes a task that somebody else ran and that went well. */
  record(job: { readonly type: string; readonly id: string; readonly user: string }): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const parts = yield* this.#parts(job)
      this.#tasks.push({
        upid: formatUpid(parts),
        parts,
        log: ["TASK OK"],
        endTime: parts.startTime,
        endedAs: this.#ended++,
        terminate: yield* Deferred.make<never, TaskFailure>(),
        fiber: undefined
      })
    })
  }

  #parts(job: { readonly type: string; readonly id: string; readonly user: string }): Effect.Effect<UpidParts> {
    return Effect.gen(this, function*() {
      const now = yield* Clock.currentTimeMillis
      this.#pid += 1 + (yield* Random.nextIntBetween(0, 4))
      return new UpidParts({
        node: this.#setup.node,
        pid: this.#pid,
        pstart: Math.max(0, Math.floor((now - this.#setup.bootTime * 1000) / 10)),
        startTime: EpochSeconds.make(Math.floor(now / 1000)),
        type: job.type,
        id: job.id,
        user: job.user
      })
    })
  }

  /** The daily clean-up: forgets what ended before a moment in seconds (platform-facts 4.4). */
  expire(before: number): void {
    this.#tasks = this.#tasks.filter((task) => task.endTime === undefined || task.endTime >= before)
  }

  /** SIGTERM, and waits until the worker is gone; SIGKILL after 5 s (platform-facts 4.5). */
  stop(task: Task): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      if (task.fiber === undefined || task.endTime !== undefined) return
      yield* Deferred.fail(task.terminate, new TaskFailure({ message: "received interrupt" }))
      const ended = yield* Fiber.await(task.fiber).pipe(
        Effect.timeoutOption(Duration.millis(5000 / this.#setup.speed))
      )
      if (ended._tag === "None") yield* this.kill(task)
    })
  }

  /** Whether the task is over at the latest after so many seconds. */
  endsWithin(task: Task, seconds: number): Effect.Effect<boolean> {
    return task.fiber === undefined
      ? Effect.succeed(true)
      : Fiber.await(task.fiber).pipe(
        Effect.timeoutOption(Duration.millis(seconds * 1000 / this.#setup.speed)),
        Effect.map((exit) => exit._tag === "Some")
      )
  }

  /** SIGKILL: no cleanup, no last line; the exit status becomes `unexpected status`. */
  kill(task: Task): Effect.Effect<void> {
    return task.fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(task.fiber))
  }
}
