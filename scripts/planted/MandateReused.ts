import type { Planted } from "./Planted.ts"

export const planted: Planted = {
  name: "lets a mandate be used again",
  check: "OneMandate",
  changes: [{
    file: "packages/mandate/src/Mandate.ts",
    line: "minted.spent = true",
    instead: ""
  }]
}
