import type { Planted } from "./Planted.ts"

export const planted: Planted = {
  name: "accepts a signature with something in its reserved field",
  check: "Vectors",
  changes: [{
    file: "packages/domain/src/Sshsig.ts",
    line: "if (reserved.right.length > 0) return refuse(\"reserved\", \"its reserved field is not empty\")",
    instead: ""
  }]
}
