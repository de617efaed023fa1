import { Schema } from "effect"
import { ConsoleChange } from "./ConsoleChange.ts"

const When = Schema.optionalWith(Schema.Literal("before", "after"), { default: () => "before" as const })

/** What goes wrong. `when` tells whether the host had done its work by then (platform-facts 3.4, 3.5, 4.2). */
export const Fault = Schema.Union(
  /** Another answer than the true one. */
  Schema.TaggedStruct("answer", {
    status: Schema.Literal(500, 595, 596),
    message: Schema.optional(Schema.NonEmptyString),
    when: When
  }),
  /** The answer comes so much later, in milliseconds of a host at speed 1. */
  Schema.TaggedStruct("slow", { millis: Schema.NonNegative }),
  /** The connection breaks off without an answer. */
  Schema.TaggedStruct("reset", { when: When }),
  /** The connection breaks off in the middle of the answer's body. */
  Schema.TaggedStruct("truncate", {}),
  /** The answer comes in chunks, without a length, as a proxy in between may send it on. */
  Schema.TaggedStruct("chunked", {}),
  /** White space behind the JSON makes the answer so many bytes long. */
  Schema.TaggedStruct("padded", { bytes: Schema.Positive }),
  /** A worker dies of something, warns, hangs until it is stopped, or does its work and is never heard of again. */
  Schema.TaggedStruct("task", {
    outcome: Schema.Literal("fail", "warn", "hang", "vanish"),
    message: Schema.optionalWith(Schema.NonEmptyString, { default: () => "input/output error" })
  }),
  /** Another certificate from now on. Old and new leaf alternate for so many seconds, as after a reload of pveproxy. */
  Schema.TaggedStruct("certificate", {
    serve: Schema.Literal("original", "renewed", "foreign"),
    alternating: Schema.optionalWith(Schema.NonNegative, { default: () => 0 })
  }),
  /** Somebody with root does something: fills a disk, reboots the node, changes a guest by hand. */
  Schema.TaggedStruct("console", { change: ConsoleChange })
)
export type Fault = typeof Fault.Type

/** When a fault happens. A rule for `task` faults looks at workers, all others look at requests. */
export const FaultRule = Schema.Struct({
  /** `POST`; every method when left out. */
  method: Schema.optional(Schema.NonEmptyString),
  /** The decoded path below `/api2/json`; `*` stands for anything. */
  path: Schema.optionalWith(Schema.NonEmptyString, { default: () => "*" }),
  /** A worker's type, such as `vzdump`; `*` stands for anything. */
  type: Schema.optionalWith(Schema.NonEmptyString, { default: () => "*" }),
  /** How many that fit are let pass first. */
  skip: Schema.optionalWith(Schema.NonNegativeInt, { default: () => 0 }),
  /** How often it happens then; 0: always. */
  times: Schema.optionalWith(Schema.NonNegativeInt, { default: () => 1 }),
  /** How likely it is for each that fits, 0 to 1; decided by the seed. */
  chance: Schema.optionalWith(Schema.Number.pipe(Schema.between(0, 1)), { default: () => 1 }),
  fault: Fault
})
export type FaultRule = typeof FaultRule.Type

/** A file of rules: the first that fits and is due happens, and so do all others that are. */
export const FaultRules = Schema.Array(FaultRule)
