// What `runtime = "node"` loads into every process of a Node app, npm's too, by NODE_OPTIONS: the first server that any
// of them has listening on a port gets the socket which the keeper holds, whatever port was asked for. A UNIX path counts
// as such a port only where the configuration names it: tsx, pm2 and others listen on paths of their own beforehand, where
// their processes meet.
'use strict'

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { ChildProcess } = require('node:child_process')
const { threadId } = require('node:worker_threads')

const BACKLOG = 65535 // the kernel takes net.core.somaxconn if that is less
const TAKEN = process.env.ZDD_SOCKET_CLAIM // the file that names who has it; only the app's user can write there
const LONGEST = 107 // bytes of a UNIX socket's path
const MOST = 65536 // no variable of the environment may have more than 128 KiB
const PEER = { remoteAddress: { value: '127.0.0.1' }, remoteFamily: { value: 'IPv4' } } // nginx; a UNIX socket has none

const fd = inherited()
const names = fd === undefined ? '' : process.env.ZDD_NAMED ?? named([...process.argv, ...Object.values(process.env)])
let done = false // in this process: it has taken its socket, or has been told of it by other means
let hasForked = false // this process is the primary of a cluster, also while all workers are disconnected

if (fd !== undefined) {
  process.env.ZDD_NAMED = names // the app's first process has what run, env and env_file say; its tools add theirs to it
  const { listen } = net.Server.prototype
  net.Server.prototype.listen = function (...args) {
    if (args[0]?.fd === fd) done = true
    if (done || !isFor(this, args[0]) || !claim()) return listen.apply(this, args)
    done = true
    take(this, args)
    return this
  }

  // Node closes inherited descriptors in what it starts. npm, or whatever starts the app, has to hand ours on, and so has
  // the primary of a cluster: each worker listens on a copy of its own, since the primary would close the only one with
  // the last worker that ends, and could start no other.
  const { spawn } = ChildProcess.prototype
  ChildProcess.prototype.spawn = function (options) {
    hasForked ||= options.envPairs?.some(pair => pair.startsWith('NODE_UNIQUE_ID=')) ?? false
    if (done) return spawn.call(this, options)
    const { stdio } = options
    const given = Array.isArray(stdio) ? stdio : [stdio, stdio, stdio]
    const missing = Array(Math.max(0, 3 - given.length)).fill()
    return spawn.call(this, { ...options, stdio: [...given, ...missing, fd] })
  }
}

/** The socket is known by its inode: a parent may have handed it on under any number, or not at all. */
function inherited () {
  return fs.readdirSync('/proc/self/fd').map(Number).find(number => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${number}`) === `socket:[${process.env.ZDD_SOCKET_INODE}]`
    } catch {} // the descriptor that read the folder
    return false
  })
}

/**
 * Not for what only looks for a free port and serves nobody, for TLS, for a cluster's primary beside its workers, for a
 * worker that was disconnected before it listened, or for a path of the app's own.
 */
function isFor (server, asked) {
  const { worker } = require('node:cluster')
  const busy = server.listening || asked?.fd !== undefined || asked?.handle || asked?._handle
  const isLeaving = worker && (worker.exitedAfterDisconnect || !worker.isConnected())
  return !busy && server.listenerCount('connection') && !server.setSecureContext &&
    !hasForked && !isLeaving && isNamed(pathOf(asked))
}

/** What may be paths in these texts, such as what stands behind a `=`, a line each. */
function named (texts) {
  const words = texts.flatMap(text => [text, ...text.split(/[\s=:,;]+/)])
  const paths = words.filter(word => /[./]/.test(word) && word.length <= LONGEST && !word.includes('\n'))
  return [...new Set(paths)].join('\n').slice(0, MOST)
}

function isNamed (asked) {
  return asked === undefined || names.split('\n').some(word => path.resolve(word) === path.resolve(asked))
}

/** The UNIX path that was asked for; undefined for a port. */
function pathOf (asked) {
  const options = typeof asked === 'object' && asked ? asked : { path: asked }
  const isPort = ['number', 'string'].includes(typeof options.port)
  return !isPort && typeof options.path === 'string' && !(Number(options.path) >= 0) ? options.path : undefined
}

/** Of all processes of the app the first one has it until it ends; the workers of a cluster have it together. */
function claim () {
  const pid = require('node:cluster').isWorker ? process.ppid : process.pid
  const owner = `${pid} ${threadId} ${process.env.LISTEN_PID}` // the last is another one after each restart
  try {
    fs.writeFileSync(TAKEN, owner, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') return true // nobody can write there: then it is as if there were no others
  }
  const former = fs.readFileSync(TAKEN, 'utf8')
  if (former === owner) return true
  if (former.split(' ')[2] === owner.split(' ')[2] && fs.existsSync(`/proc/${parseInt(former)}`)) return false
  fs.writeFileSync(TAKEN, owner)
  return true
}

/** Have the server listen on ours, and look to its app as if it listened where it has asked to. */
function take (server, args) {
  const [asked] = args
  const callback = args.at(-1)
  const options = typeof asked === 'object' && asked ? asked : { port: asked }
  const address = pathOf(asked) ?? { address: '127.0.0.1', family: 'IPv4', port: Number(options.port) || 0 }
  server.address = () => server.listening ? address : null
  server.prependListener('connection', socket => Object.defineProperties(socket, PEER))
  if (typeof callback === 'function') server.once('listening', callback)
  options.signal?.addEventListener('abort', () => server.close())
  if (require('node:cluster').isWorker) beOfCluster(server, options, address)
  server._listen2(null, null, null, BACKLOG, fd) // what listen() ends in, but for a worker, whose fd would be the primary's
}

/**
 * Make the server part of its cluster, as if Node had opened it: the primary receives `listening`. When the worker is
 * disconnected, by its primary or by itself, the server closes at once, and the primary receives `disconnect` once the
 * last connection has ended. Node sets exitedAfterDisconnect as the first step of a disconnection.
 *
 * Unlike Node, it leaves idle connections to nginx, which closes them: a POST that is on its way into one would fail.
 */
function beOfCluster (server, { host }, address) {
  const { worker } = require('node:cluster')
  const { disconnect } = process
  let exitedAfterDisconnect, closed
  server.once('listening', () => {
    worker.state = 'listening'
    const { port } = address
    const where = port === undefined ? { addressType: -1, address, port: -1 } : { addressType: 4, address: host ?? null, port }
    if (worker.isConnected()) process.send({ cmd: 'NODE_CLUSTER', act: 'listening', ...where })
  })
  Object.defineProperty(worker, 'exitedAfterDisconnect', {
    get: () => exitedAfterDisconnect,
    set (value) {
      exitedAfterDisconnect = value
      if (!value || !server.listening) return
      server.prependListener('request', (_, response) => { response.shouldKeepAlive = false })
      closed = new Promise(resolve => net.Server.prototype.close.call(server, resolve)) // http's closes the idle ones
    }
  })
  process.disconnect = () => {
    if (!closed || worker.state === 'destroying') disconnect.call(process) // kill() waits for nobody
    else closed.then(() => process.connected && disconnect.call(process))
  }
}
