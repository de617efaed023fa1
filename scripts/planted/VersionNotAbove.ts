import type { Planted } from "./Planted.ts"

const file = "packages/reconciler/src/desired/DesiredIntake.ts"

export const planted: Planted = {
  name: "takes a desired state whose version is not above the one that it has",
  check: "DesiredOrder",
  changes: [
    {
      file,
      line:
        "if (version < before) return [\"version-behind\", `it is version ${version}, and this host has version ${before}`]",
      instead: ""
    },
    { file, line: "if (version === before && held?.sha256 !== sha256) {", instead: "if (false) {" }
  ]
}
