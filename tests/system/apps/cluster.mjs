// A Node cluster that replaces its own workers, as one is written without zdd; it answers with the version that a worker
// has read at its start. Its primary tells what Node tells it of its workers.

import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const WORKERS = 2
const how = process.argv[2] // who disconnects an old worker: the `primary`, or `itself`; `early`: before a new one listens;
// `stillborn`: it is the new one that is disconnected, before it listens

if (cluster.isPrimary) lead()
else await work()

function lead () {
  for (let count = 0; count < WORKERS; count++) cluster.fork()
  cluster.on('listening', ({ id }, address) => console.log(`worker ${id} is listening: ${JSON.stringify(address)}`))
  cluster.on('disconnect', ({ id }) => console.log(`worker ${id} is disconnected`))
  cluster.on('exit', ({ id, exitedAfterDisconnect }, code, signal) => {
    console.log(`worker ${id} has ended: ${JSON.stringify({ exitedAfterDisconnect, code, signal })}`)
    if (!exitedAfterDisconnect) cluster.fork()
  })
  process.on('SIGHUP', reload)
  process.on('SIGUSR2', listen)
  process.on('SIGTERM', () => cluster.disconnect(() => process.exit(0)))
}

function reload () {
  if (how === 'stillborn') return cluster.fork().disconnect()
  for (const old of Object.values(cluster.workers)) {
    const next = cluster.fork()
    if (how === 'early') old.disconnect()
    else next.once('listening', () => how === 'itself' ? old.send('leave') : old.disconnect())
  }
}

/** A server of the primary's own, while no worker is connected. */
async function listen () {
  cluster.disconnect()
  createServer((_, response) => response.end('primary')).listen(Number(process.env.OTHER), '127.0.0.1', () => {
    console.log("primary's own")
    for (let count = 0; count < WORKERS; count++) cluster.fork()
  })
}

async function work () {
  const version = readFileSync('VERSION', 'utf8').trim()
  process.on('message', () => cluster.worker.disconnect())
  if (['early', 'stillborn'].includes(how)) await sleep(300)
  const server = createServer(async (request, response) => {
    if (request.url === '/slow') {
      console.log(`${process.pid} is busy`)
      while (!existsSync('go')) await sleep(20)
    }
    response.setHeader('X-Release', version)
    if (request.method === 'POST') request.pipe(response)
    else response.end(`${process.pid}\n`)
  })
  server.keepAliveTimeout = 60_000 // who closes an idle connection is nginx
  server.listen(3000)
}
