import { hubToken } from "../Agent.ts"
import { secret } from "../Home.ts"
import type { Watch } from "../Stage.ts"

/** I12: a secret leaves to its own peer only, and lies in no file and no log; held against each exchange, each line, and the disk at the end. */
export const watch: Watch = {
  request: ({ ledger }, { headers, path }) => {
    if (Object.values(headers).some((value) => value.includes(hubToken))) {
      ledger.violated("I12", `the hub's token goes to Proxmox with ${path}`)
    }
  },
  report: ({ ledger }, { headers, text }) => {
    if (text.includes(secret) || Object.values(headers).some((value) => value.includes(secret))) {
      ledger.violated("I12", "the secret for Proxmox goes to the hub")
    }
  },
  logged: ({ ledger }, line) => {
    if (line.includes(secret) || line.includes(hubToken)) ledger.violated("I12", "a secret stands in the log")
  },
  calm: ({ disk, ledger }) => {
    for (const [path, content] of disk.present()) {
      const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
      if (bytes.includes(secret) || bytes.includes(hubToken)) ledger.violated("I12", `a secret lies in ${path}`)
    }
  }
}
