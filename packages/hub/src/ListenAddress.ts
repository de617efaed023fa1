import { Either } from "effect"

/** Where a server listens. Port 0 takes any free one. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

const pattern = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/

/** Reads `127.0.0.1:8443`, `[::1]:8443` or `hub.example:8443`; else one sentence on why that is no address. */
export const parseListenAddress = (text: string): Either.Either<ListenAddress, string> => {
  const [, v6, name, port] = pattern.exec(text) ?? []
  const host = v6 ?? name
  return host === undefined || Number(port) > 65_535
    ? Either.left(`${JSON.stringify(text)} is not HOST:PORT, such as 127.0.0.1:8443 or [::1]:8443`)
    : Either.right({ host, port: Number(port) })
}

/** `HOST` as it stands in a URL: an IPv6 address in brackets. */
export const urlHost = (host: string): string => host.includes(":") ? `[${host}]` : host
