import type { Planted } from "./Planted.ts"

export const planted: Planted = {
  name: "takes what bears its mark for its own",
  check: "OwnRecord",
  changes: [{
    file: "packages/durable/src/OpJournal.ts",
    line: "if (held === undefined) return yield* new NotOurs({ object: shown })",
    instead: `if (held === undefined) {
      return yield* shown.includes("felhom-") ? mint.own(destruction, "UPID:unknown") : new NotOurs({ object: shown })
    }`
  }]
}
