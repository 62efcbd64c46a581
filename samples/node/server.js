// A small web service that follows zdd's classic contract: it listens on a port of the system's choosing, writes that
// to PID.port and its pid to node.pid, and ends gracefully on SIGTERM.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

const LINGER = 2_000 // ms that all goes on after SIGTERM: nginx closes the idle connections of its pool within 1 s
const GRACE = 30_000 // ms that requests in flight get after that

const version = readFileSync('VERSION', 'utf8').trim()
const pidFile = 'node.pid'
const portFile = `${process.pid}.port`

async function answer (request) {
  const { pathname, searchParams } = new URL(`http://localhost${request.url}`)
  switch (`${request.method} ${pathname}`) {
    case 'GET /': return [200, `Hello from node, version ${version}\n`]
    case 'GET /health': return [200, 'ok\n']
    case 'GET /slow': return slow(Number(searchParams.get('seconds') ?? 0.5))
    case 'POST /echo': return [200, await buffer(request)]
    default: return [404, 'not found\n']
  }
}

async function slow (wanted) {
  if (Number.isNaN(wanted)) return [400, 'seconds must be a number\n']
  const seconds = Math.min(10, Math.max(0, wanted))
  await sleep(seconds * 1000)
  return [200, `slept ${seconds} s\n`]
}

const server = createServer(async (request, response) => {
  // a target that is no path, or a client that left while it was sending
  const [status, body] = await answer(request).catch(() => [400, 'bad request\n'])
  const headers = { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body), 'X-Release': version }
  response.writeHead(status, headers).end(body)
})
server.keepAliveTimeout = 5_000 // longer than nginx's keepalive_timeout: see nginx.conf.template

async function stop () {
  await sleep(LINGER)
  server.close(() => process.exit()) // this closes the idle connections too,
  setInterval(() => server.closeIdleConnections(), 100) // this those that fall idle later,
  setTimeout(() => process.exit(1), GRACE) // and close() alone would wait for ever for a client that never sends
}

let stopping
process.on('SIGTERM', () => { stopping ??= stop() })
process.on('SIGHUP', () => {}) // node resets what nohup ignored: without this line it dies with the terminal
process.on('exit', () => {
  rmSync(portFile, { force: true })
  try {
    if (Number(readFileSync(pidFile, 'utf8')) === process.pid) rmSync(pidFile)
  } catch {} // zdd has removed it
})

server.listen(0, '127.0.0.1', () => {
  write(portFile, `${server.address().port}\n`) // first: whoever finds the pid finds the port
  write(pidFile, `${process.pid}\n`)
})

function write (path, text) {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, text)
  renameSync(temporary, path)
}
