// A Node app that knows nothing of zdd, and listens in the way that its argument names; it answers with what it sees.

import { fork, spawn } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { Worker, isMainThread, threadId } from 'node:worker_threads'

const version = readFileSync('VERSION', 'utf8').trim()
const way = process.argv[2]

function serve (where, name = 'web') {
  const server = createServer((request, response) => {
    response.setHeader('X-Release', version)
    const address = server.address()
    const { remoteAddress } = request.socket
    const { pid, env } = process
    response.end(JSON.stringify({ name, address, remoteAddress, pid, options: env.NODE_OPTIONS }))
  })
  const listening = once(server.listen(...[where].flat()), 'listening')
  return listening.then(() => { console.log(`${name} listens on ${JSON.stringify(server.address())}`); return server })
}

async function pipe (path) {
  const server = createNetServer(connection => connection.end('helper'))
  await once(server.listen(path), 'listening')
  console.log(`helper listens on ${JSON.stringify(server.address())}`)
}

const ways = {
  port: () => serve(3000),
  options: () => serve({ port: 3000, host: '0.0.0.0' }),
  path: () => serve('/nowhere/socket'),
  named: () => serve(process.env.SOCKET ?? process.argv[3]?.split('=')[1]),
  nothing: () => serve([]),

  async twice () { await serve(3000); await serve(0, 'second') },

  async probing () { // what looks for a free port
    const probe = createNetServer()
    await once(probe.listen(0), 'listening')
    await once(probe.close(), 'close')
    await serve(3000)
  },

  async helper () { // what tells its own processes something, as tsx and pm2 do, before the site is served
    await pipe(`${mkdtempSync(`${tmpdir()}/helper`)}/pipe`)
    await serve(3000)
  },

  async supervisor () {
    await pipe(`\0helper ${process.pid}`)
    spawn(process.execPath, [process.argv[1], 'helper'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  },

  async secure () { await once(createSecureServer(() => {}).listen(0), 'listening'); await serve(3000) },

  inherited: () => serve({ fd: 3 }).then(() => serve(0, 'second')),

  forked: () => fork(process.argv[1], ['port']),

  async siblings () { // the second of two processes that both listen keeps what it has asked for
    const child = () => spawn('sh', ['-c', `node ${process.argv[1]} any`], { stdio: ['ignore', 'inherit', 'inherit'] })
    child()
    while (!existsSync('first')) await new Promise(resolve => setTimeout(resolve, 10))
    child()
  },

  async any () {
    await serve(0, existsSync('first') ? 'second' : 'first')
    ;(await import('node:fs')).writeFileSync('first', '')
  },

  async thread () {
    if (isMainThread) new Worker(new URL(import.meta.url), { argv: ['thread'] }) // eslint-disable-line no-new
    else await serve(3000, `thread ${threadId}`)
  },

  async cluster () {
    if (cluster.isWorker) return serve(3000, 'worker').then(() => serve(Number(process.env.OTHER), 'other'))
    for (let count = 0; count < 2; count++) cluster.fork()
    cluster.on('exit', () => cluster.fork())
    await serve(0, 'metrics')
  }
}
await ways[way]()
