import { Schema } from "effect"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { dist, type Environment, firstLine, type Running, start } from "./Process.ts"
import type { StandInHub } from "./StandInHub.ts"

const tokenId = "felhom-agent@pve!agent"
const node = "demo-felhom"

const Ready = Schema.parseJson(Schema.Struct({
  url: Schema.String,
  control: Schema.String,
  certificates: Schema.Struct({ original: Schema.Struct({ leaf: Schema.String }) })
}))

const Wire = Schema.parseJson(Schema.Struct({ requests: Schema.Number, handshakes: Schema.Number }))

/** A simulated host over real TLS, and what it takes to reach it. */
export interface Host {
  readonly running: Running
  readonly control: string
  readonly environment: Environment
}

export const makeFolder = (): string => mkdtempSync(join(tmpdir(), "felhom-bench-"))

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true })

export const startHost = async (folder: string): Promise<Host> => {
  const secret = randomUUID()
  const tokens = join(folder, `tokens-${randomUUID()}.json`)
  writeFileSync(tokens, JSON.stringify({ [tokenId]: secret }), { mode: 0o600 })
  const args = ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--tokens", tokens]
  const running = start(join(dist, "pve-sim.js"), args)
  const { certificates, control, url } = Schema.decodeSync(Ready)(await firstLine(running))
  return {
    running,
    control,
    environment: {
      FELHOM_AGENT_PROXMOX_URL: url,
      FELHOM_AGENT_PROXMOX_NODE: node,
      FELHOM_AGENT_PROXMOX_FINGERPRINT: certificates.original.leaf,
      FELHOM_AGENT_PROXMOX_TOKEN_ID: tokenId,
      FELHOM_AGENT_PROXMOX_TOKEN: secret
    }
  }
}

/** All that an agent needs to report of this host to this hub, with a state folder of its own. */
export const agentEnvironment = (host: Host, hub: StandInHub, folder: string): Environment => {
  const own = join(folder, randomUUID())
  return {
    ...host.environment,
    FELHOM_AGENT_HUB_URL: hub.url,
    FELHOM_AGENT_HUB_FINGERPRINT: hub.fingerprint,
    FELHOM_AGENT_HUB_TOKEN: "felhom_host_bench",
    FELHOM_AGENT_STATE_DIR: own,
    FELHOM_AGENT_RUNTIME_DIR: join(own, "run")
  }
}

/** How often the host was asked, and how often it shook hands, since its start. */
export const countsOf = async (host: Host): Promise<{ readonly requests: number; readonly handshakes: number }> => {
  const answer = await fetch(`${host.control}/wire`)
  return Schema.decodeSync(Wire)(await answer.text())
}
