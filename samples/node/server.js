// A small web service that follows zdd's classic contract: it listens on a port of the system's choosing, writes that
// to PID.port and its pid to node.pid, and ends gracefully on SIGTERM.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

const LINGER = 2_000 // ms that the idle connections of nginx's pool are kept: nginx closes them within one second
const GRACE = 30_000 // ms that requests in flight get after that

const version = readFileSync('VERSION', 'utf8').trim()
const pidFile = 'node.pid'
const portFile = `${process.pid}.port`

async function answer (request) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost')
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
  try {
    const [status, body] = await answer(request)
    response.writeHead(status, {
      'Content-Type': 'text/plain',
      'Content-Length': Buffer.byteLength(body),
      'X-Release': version
    }).end(body)
  } catch (error) { // a client that left while it was sending, or a URL that is none
    response.destroy(error)
  }
})
server.keepAliveTimeout = 5_000 // longer than nginx's keepalive_timeout: see nginx.conf.template

async function stop () {
  await sleep(LINGER)
  server.close(() => process.exit()) // closes the idle connections too
  setInterval(() => server.closeIdleConnections(), 100) // those that fall idle later
  setTimeout(() => process.exit(1), GRACE) // close() alone waits for ever for a client that never sends
}

function write (path, text) {
  writeFileSync(`${path}.${process.pid}.tmp`, text)
  renameSync(`${path}.${process.pid}.tmp`, path)
}

process.once('SIGTERM', stop)
process.on('SIGHUP', () => {}) // node undoes what nohup did: without this it dies with the terminal
process.on('exit', () => {
  rmSync(portFile, { force: true })
  try {
    if (Number(readFileSync(pidFile, 'utf8')) === process.pid) rmSync(pidFile)
  } catch {} // there is none any more
})

server.listen(0, '127.0.0.1', () => {
  write(portFile, `${server.address().port}\n`) // first: whoever finds the pid finds the port
  write(pidFile, `${process.pid}\n`)
})
