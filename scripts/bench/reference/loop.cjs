// The agent's exchanges without the agent: the same questions to Proxmox over a kept connection with a pinned certificate, and
// their answers, gzipped, to the hub. No schema, no state, no events, no log. CommonJS, which Node starts sooner than a module.
const { createHash } = require("node:crypto")
const { readFileSync } = require("node:fs")
const https = require("node:https")
const { connect, createSecureContext } = require("node:tls")
const { gzipSync } = require("node:zlib")

const env = process.env
const periodMillis = Number(process.argv[2])
const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()

const secureContext = createSecureContext({ ca: [] })

const pinned = (fingerprint) => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  // Before the peer ends it after 5 s, in the moment of the next request.
  agent.on("free", (socket) => socket.setTimeout(3000))
  agent.reuseSocket = (socket, request) => {
    https.Agent.prototype.reuseSocket.call(agent, socket, request)
    socket.setTimeout(0)
  }
  const wanted = fingerprint.replaceAll(":", "").toLowerCase()
  agent.createConnection = (options, callback) => {
    const socket = connect({ host: options.host, port: options.port, secureContext, rejectUnauthorized: false })
    socket.on("timeout", () => socket.destroy())
    socket.once("error", callback).once("secureConnect", () => {
      const found = createHash("sha256").update(socket.getPeerX509Certificate().raw).digest("hex")
      if (found === wanted) callback(null, socket)
      else socket.destroy(new Error("another certificate"))
    })
  }
  return agent
}

const call = (agent, url, options, body) =>
  new Promise((resolve, reject) => {
    const request = https.request(url, { agent, ...options }, (response) => {
      // pveproxy's own word behind the one that it passes on from pvedaemon: it keeps the connection.
      if (/keep-alive$/i.test(response.headers.connection)) request.shouldKeepAlive = true
      const chunks = []
      response.on("data", (chunk) => chunks.push(chunk)).on("end", () => resolve(JSON.parse(Buffer.concat(chunks))))
    })
    request.on("error", reject).end(body)
  })

const proxmox = pinned(env.FELHOM_AGENT_PROXMOX_FINGERPRINT)
const hub = pinned(env.FELHOM_AGENT_HUB_FINGERPRINT)
const node = env.FELHOM_AGENT_PROXMOX_NODE
const authorization = `PVEAPIToken=${env.FELHOM_AGENT_PROXMOX_TOKEN_ID}=${env.FELHOM_AGENT_PROXMOX_TOKEN}`
const ask = (path) => call(proxmox, `${env.FELHOM_AGENT_PROXMOX_URL}/api2/json${path}`, { headers: { authorization } })

const steady = [
  `/nodes/${node}/status`,
  `/nodes/${node}/tasks?source=all&limit=200`,
  "/cluster/resources",
  `/nodes/${node}/storage`,
  `/nodes/${node}/lxc/101/config`
]

// Everything else about the host is asked once.
const first = [
  `/nodes/${node}/lxc/101/snapshot`,
  ...["lxc/102", "lxc/9999", "qemu/200"].flatMap((guest) => [
    `/nodes/${node}/${guest}/config`,
    `/nodes/${node}/${guest}/snapshot`
  ]),
  `/nodes/${node}/disks/list`,
  `/nodes/${node}/storage/local/content?content=backup`
]

const cycle = async (paths) => {
  const found = {}
  for (const path of paths) found[path] = (await ask(path)).data
  const report = { host: { id: boot, epoch: boot }, events: [], found }
  const body = gzipSync(JSON.stringify(report))
  const headers = { "content-type": "application/json", "content-encoding": "gzip", "content-length": body.length }
  await call(hub, `${env.FELHOM_AGENT_HUB_URL}/api/v1/hosts/${boot}/report`, { method: "POST", headers }, body)
}

void cycle([...steady, ...first]).then(() => setInterval(() => cycle(steady), periodMillis))
