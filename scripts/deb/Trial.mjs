// What is done with the packages on a machine of their own, in the order of a host's life there.
import { basename, join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"

const hubName = "hub.example"
const hubAddress = "192.0.2.10"
const tokenId = "felhom-agent@pve!agent"
const secret = "11111111-2222-3333-4444-555555555555"
const stateFolder = "/var/lib/felhom-agent"

/** Lines that no helper may take for a question; each is sent to each of the three sockets. */
const badLines = [
  "",
  "{}",
  "null",
  "[]",
  "GET / HTTP/1.1",
  "{\"action\":\"list\"}{\"action\":\"list\"}",
  "{\"action\":\"mount\",\"uuid\":\"../sda1\",\"name\":\"x\"}",
  "{\"action\":\"smart\",\"device\":\"/dev/sda;reboot\"}",
  "{\"vmid\":0}",
  "{\"__proto__\":{\"action\":\"list\"}}",
  "[".repeat(7000),
  `{"action":"${"x".repeat(9000)}"}`
]

/** Asks a socket one line as a user, with the Node that is there; prints the answer. */
const asking = `
const [path, ...lines] = process.argv.slice(1)
const one = (line) => new Promise((resolve) => {
  const socket = require("node:net").connect(path)
  let text = ""
  socket.on("data", (chunk) => (text += chunk)).on("error", (error) => resolve(error.code)).on("close", () => resolve(text.trim()))
  socket.on("connect", () => socket.write(line + "\\n"))
})
;(async () => { for (const line of lines) console.log(await one(line)) })()`

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`

/** Plays it. Throws at the first thing that is not as it has to be, with all that was written. */
export const play = async ({ put, run }, { debs, dist, later }) => {
  const failed = (what, { code, err, out }) => new Error(`${what}: ended with ${code}\n${out}${err}`)
  const step = (what) => console.log(`\n== ${what}`)
  const say = (text) => console.log(text.trim().split("\n").map((line) => `   ${line}`).join("\n"))
  const must = (what, command, { codes = [0], matches = undefined, input = undefined, show = true } = {}) => {
    const ended = run(command, { input })
    if (!codes.includes(ended.code)) throw failed(what, ended)
    const written = `${ended.out}${ended.err}`
    if (matches !== undefined && !matches.test(written)) throw failed(`${what}: nothing matches ${matches}`, ended)
    if (show) console.log(`   ok  ${what}`)
    return ended.out.trim()
  }
  const until = async (what, command, matches, seconds = 120) => {
    const by = Date.now() + seconds * 1000
    let ended = run(command)
    while (!matches.test(`${ended.out}${ended.err}`)) {
      if (Date.now() > by) throw failed(`${what}, within ${seconds} s`, ended)
      await pause(500)
      ended = run(command)
    }
    console.log(`   ok  ${what}`)
    return ended.out
  }
  const as = (user, verb, lines) =>
    `setpriv --reuid=${user} --regid=$(id -gn ${user}) --clear-groups node -e ${
      quoted(asking)
    } /run/felhom-agent-root/${verb}.sock ${lines.map(quoted).join(" ")}`
  const [agentDeb, hubDeb, operatorDeb] = debs.map((path) => basename(path))

  step(
    `a machine: ${run("cat /etc/debian_version").out.trim()}, ${run("systemctl --version").out.split("\n")[0]}, Node ${
      run("node --version").out.trim()
    }`
  )
  run("mkdir -p /opt/debs /opt/sim")
  for (const path of debs) put(path, "opt/debs/")
  for (const name of ["pve-sim.js", "package.json"]) put(join(dist, name), "opt/sim/")
  must(
    "an address for the hub, by name",
    `ip link set lo up; ip addr add ${hubAddress}/32 dev lo; echo '${hubAddress} ${hubName}' >> /etc/hosts`
  )

  step("install")
  const installing = (names) => `cd /opt/debs && dpkg -i ${names.join(" ")}`
  must("all three packages", installing([agentDeb, hubDeb, operatorDeb]), {
    matches: /not configured yet: felhom-agent configure/
  })
  must("the agent's user, without a shell", "getent passwd felhom-agent", { matches: /\/usr\/sbin\/nologin/ })
  must("its settings' folder", "stat -c '%a %U %G' /etc/felhom-agent", { matches: /^750 root felhom-agent/ })
  must(
    "three sockets wait",
    "systemctl is-active felhom-agent-smart.socket felhom-agent-mount.socket felhom-agent-pct-create.socket",
    { matches: /^active\nactive\nactive/ }
  )
  must("each its user's alone", "stat -c '%a %U' /run/felhom-agent-root/*.sock", {
    matches: /^600 felhom-agent\n600 felhom-agent\n600 felhom-agent$/m
  })
  must(
    "the agent does not run before it is configured",
    "systemctl start felhom-agent.service; systemctl is-active felhom-agent.service",
    { codes: [3], matches: /inactive/ }
  )
  must("nor does the hub before its owner starts it", "systemctl is-active felhom-hub.service", { codes: [3] })
  must(
    "systemd finds nothing wrong with the units",
    "systemd-analyze verify --man=no /usr/lib/systemd/system/felhom-*",
    { matches: /^$/ }
  )
  must("its compiled code is of this machine's Node", "cat /usr/lib/felhom-agent/agent/daemon.js.cache.json", {
    matches: new RegExp(run("node --version").out.trim())
  })
  must("doctor says what is missing", "felhom-agent doctor", {
    codes: [1],
    matches: /PROXMOX_URL is not set[^]*doctor: \d+ to mend/
  })

  step("a hub, and a simulated Proxmox VE")
  must(
    "the hub's settings",
    `sed -i 's/^FELHOM_HUB_LISTEN=.*/FELHOM_HUB_LISTEN=${hubAddress}:8443/' /etc/felhom-hub/environment`
  )
  must("the hub is started", "systemctl enable --now felhom-hub.service")
  const hubWords = await until("it says who it is", "journalctl -u felhom-hub.service -o cat --no-pager", /"url"/)
  const [, hubLine] = /^(\{.*"url".*\})$/m.exec(hubWords) ?? []
  const hub = JSON.parse(hubLine)
  const pin = hub.spki ?? hub.fingerprint ??
    Object.values(hub).flatMap((value) => (typeof value === "object" ? Object.values(value) : [value])).find((value) =>
      /^(spki:)?([0-9A-F]{2}:){31}[0-9A-F]{2}$/i.test(value) || /^[0-9a-f]{64}$/.test(value)
    )
  run(`printf '%s' '${JSON.stringify({ [tokenId]: secret })}' > /opt/sim/tokens.json; chmod 600 /opt/sim/tokens.json`)
  must(
    "Proxmox VE is started",
    "systemd-run --quiet --unit=pve-sim --collect node /opt/sim/pve-sim.js serve --listen 127.0.0.1:8006 --control 127.0.0.1:8007 --tokens /opt/sim/tokens.json --node attic --speed 20"
  )
  const simWords = await until("it says who it is", "journalctl -u pve-sim.service -o cat --no-pager", /"certificates"/)
  const simulator = JSON.parse(/^(\{.*"certificates".*\})$/m.exec(simWords)[1])

  step("configure")
  const flags =
    `--hub-url https://${hubName}:8443 --hub-fingerprint ${pin} --proxmox-fingerprint ${simulator.certificates.original.leaf} --node attic`
  must(
    "--dry-run writes nothing",
    `felhom-agent configure ${flags} --dry-run && ! test -e /etc/felhom-agent/config.json`
  )
  say(must("settings and allow list", `felhom-agent configure ${flags}`, { matches: /written: / }))
  must("the settings are for the agent to read", "stat -c '%a %U %G' /etc/felhom-agent/config.json", {
    matches: /^640 root felhom-agent/
  })
  must("the token's secret", "umask 077; cat > /etc/felhom-agent/proxmox-token", { input: secret })

  step("let in")
  must("an admin", `felhom login --hub https://${hubName}:8443 --fingerprint ${pin}`, {
    input: must("its token", "felhom-hub token create --role admin --label try", { show: false })
  })
  const oneTime = /felhom_enrol_[\w-]+/.exec(must("a one-time token", "felhom enrol"))[0]
  must("the host shows itself", `FELHOM_AGENT_ENROL_TOKEN=${oneTime} felhom-agent enrol --once`, { codes: [0, 1] })
  const code = /\b([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})\b/.exec(must("its code", "felhom-agent key"))[1]
  must("the code is accepted", `felhom accept ${code}`, { input: "y\n" })
  must("the host gets its token", `FELHOM_AGENT_ENROL_TOKEN=${oneTime} felhom-agent enrol`)
  must("nothing of root's in the state folder", `find ${stateFolder} ! -user felhom-agent`, { matches: /^$/ })

  step("start")
  must("the service", "systemctl daemon-reload && systemctl enable --now felhom-agent.service")
  await until("the hub hears of it, signed", "felhom hosts", /attic .*online/, 120)
  say(await until("doctor: ready", "felhom-agent doctor", /doctor: ready/, 120))
  must(
    "it runs as its own user, without a capability",
    "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/$(systemctl show -P MainPID felhom-agent.service)/status",
    { matches: /CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2/ }
  )
  must(
    "it knows which boot this is",
    "nsenter -t $(systemctl show -P MainPID felhom-agent.service) -m cat /proc/sys/kernel/random/boot_id",
    { matches: /^[0-9a-f-]{36}$/m }
  )
  must(
    "a second daemon is refused, also by hand",
    "timeout 60 felhom-agent daemon",
    { codes: [2], matches: /another felhom-agent daemon/ }
  )
  must("its ceiling", "systemctl show -P MemoryMax felhom-agent.service", { matches: /^536870912$/m })
  must("selftest, as root types it", "felhom-agent selftest read", { matches: /selftest read: passed/ })
  must("nothing of root's in the state folder", `find ${stateFolder} ! -user felhom-agent`, { matches: /^$/ })

  const fenced = run(
    `systemd-run --wait --pipe --quiet -p IPAddressDeny=any -p IPAddressAllow=localhost node -e ${
      quoted(
        `require("node:net").connect(8443, "${hubAddress}").on("connect", () => { console.log("open"); process.exit() }).on("error", (error) => console.log(error.code))`
      )
    }`
  )
  say(
    fenced.out.trim() === "open"
      ? "note: this kernel fences no unit's addresses (IPAddressDeny=), so the allow list was written and read, and not felt"
      : `ok  the kernel closes addresses that are not allowed (${fenced.out.trim() || "nothing got through"})`
  )

  step("the helpers of root's, under systemd")
  must("mount tells the disks", as("felhom-agent", "mount", ["{\"action\":\"list\"}"]), {
    matches: /"ok":(true|false)/
  })
  must("pct-create says that there is no pct", as("felhom-agent", "pct-create", [JSON.stringify({ action: "list" })]), {
    matches: /"reason":"invalid"/
  })
  for (const verb of ["smart", "mount", "pct-create"]) {
    const answers = must(`${verb} refuses ${badLines.length} bad requests`, as("felhom-agent", verb, badLines)).split(
      "\n"
    )
    if (answers.length !== badLines.length || !answers.every((line) => line.includes("\"reason\":\"invalid\""))) {
      throw new Error(`${verb}: not all were refused:\n${answers.join("\n")}`)
    }
    must(`${verb} is closed to others`, as("nobody", verb, ["{}"]), { matches: /^EACCES/ })
    must(`${verb}'s socket still waits`, `systemctl is-active felhom-agent-${verb}.socket`)
  }

  step("what doctor finds")
  must(
    "the hub's name leads elsewhere",
    `sed -i 's/^${hubAddress} ${hubName}/192.0.2.77 ${hubName}/' /etc/hosts; felhom-agent doctor`,
    { codes: [1], matches: /is now at 192\.0\.2\.77, which .*network\.conf does not allow/ }
  )
  run(`sed -i 's/^192.0.2.77 ${hubName}/${hubAddress} ${hubName}/' /etc/hosts`)
  must("a socket that is not the agent's", "chown nobody /run/felhom-agent-root/smart.sock; felhom-agent doctor", {
    codes: [1],
    matches: /smart\.sock is not the agent's to ask/
  })
  run("systemctl restart felhom-agent-smart.socket")

  step("upgrade")
  const who = must("who the host is", "felhom-agent key --output json", { show: false })
  const first = must("its process", "systemctl show -P MainPID felhom-agent.service", { show: false })
  for (const path of later) put(path, "opt/debs/")
  must("the later packages", installing(later.map((path) => basename(path))))
  await until(
    "the service runs again",
    "systemctl is-active felhom-agent.service felhom-hub.service",
    /^active\nactive$/m
  )
  if (must("its process", "systemctl show -P MainPID felhom-agent.service", { show: false }) === first) {
    throw new Error("the upgrade did not restart it")
  }
  if (must("it is the same host, with the same key", "felhom-agent key --output json") !== who) {
    throw new Error("the state was lost")
  }
  await until("doctor: ready", "felhom-agent doctor", /doctor: ready/, 120)

  step("the secret, encrypted to this machine")
  must(
    "systemd-creds takes it",
    "systemd-creds encrypt --name=proxmox-token - /etc/felhom-agent/proxmox-token.cred && rm /etc/felhom-agent/proxmox-token",
    { input: secret }
  )
  const encrypted = [
    "[Unit]",
    "ConditionPathExists=",
    "ConditionPathExists=/etc/felhom-agent/config.json",
    "[Service]",
    "LoadCredential=",
    "LoadCredential=storage:/etc/felhom-agent/storage-secrets",
    "LoadCredentialEncrypted=proxmox-token:/etc/felhom-agent/proxmox-token.cred"
  ]
  must(
    "the drop-in",
    `printf '%s\\n' ${
      encrypted.map(quoted).join(" ")
    } > /etc/systemd/system/felhom-agent.service.d/secret.conf; systemctl daemon-reload`
  )
  must("the service starts with it", "systemctl restart felhom-agent.service")
  await until("doctor: ready", `FELHOM_AGENT_PROXMOX_TOKEN=${secret} felhom-agent doctor`, /doctor: ready/, 120)
  must(
    "and back",
    "rm /etc/systemd/system/felhom-agent.service.d/secret.conf; umask 077; cat > /etc/felhom-agent/proxmox-token; systemctl daemon-reload; systemctl restart felhom-agent.service",
    { input: secret }
  )
  await until("doctor: ready", "felhom-agent doctor", /doctor: ready/, 120)

  step("leave")
  const guests = must(
    "what the host has",
    `node -e ${quoted(listing)} ${simulator.url} ${quoted(`${tokenId}=${secret}`)}`,
    { show: false }
  )
  say(must("detach says what stays and what goes", "felhom-agent detach", { matches: /nothing is in the way/ }))
  must("remove", "apt-get remove -y felhom-agent")
  must("no unit is left", "systemctl list-units --all --no-legend 'felhom-agent*' | grep -v not-found", { codes: [1] })
  must("its state and settings are kept", `test -e ${stateFolder}/hub-token && test -e /etc/felhom-agent/config.json`)
  must("install it again", installing([basename(later[0])]))
  await until("and it goes on", "systemctl start felhom-agent.service; felhom-agent doctor", /doctor: ready/, 120)
  must("purge", "apt-get purge -y felhom-agent felhom-hub felhom")
  must(
    "nothing is left",
    `ls -d ${stateFolder} /etc/felhom-agent /usr/lib/felhom-agent /etc/systemd/system/felhom-agent.service.d /var/lib/felhom-hub /etc/felhom-hub /run/felhom-agent-root 2>/dev/null`,
    { codes: [2], matches: /^$/ }
  )
  if (
    must(
      "guests and storages are as they were",
      `node -e ${quoted(listing)} ${simulator.url} ${quoted(`${tokenId}=${secret}`)}`
    ) !== guests
  ) {
    throw new Error("they are not as they were")
  }
}

/** Guests and storages by Proxmox VE's own word. */
const listing = `
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"
process.removeAllListeners("warning")
const [url, token] = process.argv.slice(1)
;(async () => {
  for (const path of ["/nodes/attic/lxc", "/nodes/attic/qemu", "/nodes/attic/storage"]) {
    const answer = await fetch(url + "/api2/json" + path, { headers: { authorization: "PVEAPIToken=" + token } })
    const { data } = await answer.json()
    console.log(JSON.stringify(data.map(({ vmid, name, status, storage, type }) => ({ vmid, name, status, storage, type })).sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)))
  }
})()`
