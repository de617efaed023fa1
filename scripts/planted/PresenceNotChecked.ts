import type { Planted } from "./Planted.ts"

export const planted: Planted = {
  name: "counts the signature of a security key that nobody touched",
  check: "Vectors",
  changes: [{
    file: "packages/authz/src/VerifySignature.ts",
    line: "if ((touch.flags & presence) === 0) {",
    instead: "if (false) {"
  }]
}
