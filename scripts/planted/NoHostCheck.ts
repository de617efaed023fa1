import type { Planted } from "./Planted.ts"

export const planted: Planted = {
  name: "does what was signed for another host",
  check: "OtherHost",
  changes: [{
    file: "packages/authz/src/Authz.ts",
    line: "if (op.host !== host) return yield* refuse(known, \"other-host\", `it is for the host ${op.host}`)",
    instead: ""
  }]
}
