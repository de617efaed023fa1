// Stands in for prometheus-node-exporter, which is not a Node program and not on every machine: a bare HTTP server that reads
// what that one reads by default from /proc, and renders it as text, each time it is scraped.
import { readdirSync, readFileSync, statfsSync } from "node:fs"
import { createServer } from "node:http"

const read = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

const render = () => {
  const lines = []
  const all = (name, path) => {
    for (const line of read(path).split("\n")) {
      const [label, ...values] = line.trim().split(/[\s:|]+/)
      values.forEach((value, column) => {
        if (/^\d+(\.\d+)?$/.test(value)) lines.push(`node_${name}{of="${label}",column="${column}"} ${value}`)
      })
    }
  }
  all("cpu", "/proc/stat")
  all("memory", "/proc/meminfo")
  all("load", "/proc/loadavg")
  all("vmstat", "/proc/vmstat")
  all("network", "/proc/net/dev")
  all("netstat", "/proc/net/netstat")
  all("sockstat", "/proc/net/sockstat")
  all("disk", "/proc/diskstats")
  for (const line of read("/proc/mounts").split("\n")) {
    const [, folder] = line.split(" ")
    if (folder === undefined) continue
    try {
      const { bavail, blocks, bsize, ffree } = statfsSync(folder)
      lines.push(`node_filesystem{of="${folder}"} ${blocks * bsize} ${bavail * bsize} ${ffree}`)
    } catch {
      lines.push(`node_filesystem_error{of="${folder}"} 1`)
    }
  }
  lines.push(`node_procs ${readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length}`)
  return lines.join("\n")
}

const server = createServer((_, response) => response.end(render()))
server.listen(0, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`))
