// What can't be done without: unpacking a report's body, which comes in base64 as an argument, and parsing it. Prints
// milliseconds of processor time each, after as many that only warm up.
import { gunzipSync } from "node:zlib"

const body = Buffer.from(process.argv[2], "base64")
const count = Number(process.argv[3])

const parseAll = () => {
  let keys = 0
  for (let index = 0; index < count; index++) keys += Object.keys(JSON.parse(gunzipSync(body).toString("utf8"))).length
  return keys
}

parseAll()
const before = process.cpuUsage()
parseAll()
const { system, user } = process.cpuUsage(before)
console.log((user + system) / 1000 / count)
