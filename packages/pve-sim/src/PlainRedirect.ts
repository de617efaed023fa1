import { createServer, type Server, type Socket } from "node:net"

// A TLS connection begins with a handshake record.
const handshake = 0x16

/** Where a client that speaks plain HTTP at the TLS port is sent, as pveproxy does it (platform-facts 3.4). */
const redirection = (head: string, now: Date): string | undefined => {
  const [, method = "", target = ""] = /^([A-Z]+) (\S+) HTTP\/1\.\d\r\n/.exec(head) ?? []
  const host = /\r\nhost: *([^\r\n]+)/i.exec(head)?.[1]
  if (method === "" || host === undefined) return undefined
  const [code, reason] = method === "GET" || method === "HEAD"
    ? [301, "Moved Permanently"]
    : [308, "Permanent Redirect"]
  const date = now.toUTCString()
  return [
    `HTTP/1.1 ${code} ${reason}`,
    "Cache-Control: max-age=0",
    "Connection: Keep-Alive",
    `Date: ${date}`,
    "Pragma: no-cache",
    `Location: https://${host}${target}`,
    "Server: pve-api-daemon/3.0",
    `Content-Length: ${reason.length}`,
    `Expires: ${date}`,
    "",
    reason
  ].join("\r\n")
}

/**
 * A port for TLS and for those who forget it: what begins like TLS goes to `secure`, a plain request is redirected and its
 * connection closed. Whoever says nothing for `idleMillis` is closed, too.
 */
export const tlsOrRedirect = (secure: Server, idleMillis: number, now: () => Date): Server => {
  const redirect = (socket: Socket): void => {
    let head = ""
    socket.setEncoding("latin1")
    socket.on("data", (text: string) => {
      head += text
      if (!head.includes("\r\n\r\n") && head.length < 8192) return
      socket.removeAllListeners("data")
      socket.end(redirection(head, now()) ?? "")
    })
  }
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.once("close", () => open.delete(socket))
    // A peer that resets is gone, and nothing is owed to it.
    socket.on("error", () => socket.destroy())
    socket.setTimeout(idleMillis, () => socket.destroy())
    const look = (): void => {
      const first: Buffer | null = socket.read()
      if (first === null) return
      socket.removeListener("readable", look)
      socket.unshift(first)
      if (first[0] !== handshake) return redirect(socket)
      socket.setTimeout(0)
      socket.removeAllListeners("timeout")
      secure.emit("connection", socket)
    }
    socket.on("readable", look)
  })
  server.once("close", () => open.forEach((socket) => socket.destroy()))
  return server
}
