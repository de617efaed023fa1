/** Every environment variable of the agent begins so. */
export const environmentPrefix = "FELHOM_AGENT_"

/**
 * Every setting by its place in the config file, with the rest of its environment variable's name. The environment wins over
 * the file.
 */
export const fileSettings = {
  "proxmox.url": "PROXMOX_URL",
  "proxmox.node": "PROXMOX_NODE",
  "proxmox.fingerprint": "PROXMOX_FINGERPRINT",
  "proxmox.tokenId": "PROXMOX_TOKEN_ID",
  "proxmox.tokenFile": "PROXMOX_TOKEN_FILE",
  "hub.url": "HUB_URL",
  "hub.fingerprint": "HUB_FINGERPRINT",
  "hub.tokenFile": "HUB_TOKEN_FILE",
  "network.allow": "NETWORK_ALLOW",
  "stateDir": "STATE_DIR",
  "runtimeDir": "RUNTIME_DIR",
  "policyFile": "POLICY_FILE",
  "signersFile": "SIGNERS_FILE",
  "revocationFile": "REVOCATION_FILE",
  "logLevel": "LOG_LEVEL"
} as const

/** Secrets have no place in the config file. */
export const secretSettings = {
  "proxmox.token": "PROXMOX_TOKEN",
  "hub.token": "HUB_TOKEN",
  "hub.enrolToken": "ENROL_TOKEN"
} as const

export type FileSetting = keyof typeof fileSettings
export type SettingName =
  | (typeof fileSettings)[FileSetting]
  | (typeof secretSettings)[keyof typeof secretSettings]

const placeByName = new Map<string, string>(Object.entries(fileSettings).map(([place, name]) => [name, place]))

/** Where a setting may be given, in words for a message. */
export const whereToSet = (name: SettingName): string => {
  const place = placeByName.get(name)
  return place === undefined
    ? `${environmentPrefix}${name}`
    : `${environmentPrefix}${name} or ${place} in the config file`
}

/** All names that the environment may carry, without the prefix. */
export const settingNames: ReadonlySet<string> = new Set([
  ...Object.values(fileSettings),
  ...Object.values(secretSettings),
  "CONFIG"
])
