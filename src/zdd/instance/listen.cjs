// What `runtime = "node"` loads into every process of a Node app, npm's too, by NODE_OPTIONS: the first server that any
// of them has listening gets the socket which the keeper holds, whatever port or path was asked for.
'use strict'

const fs = require('node:fs')
const net = require('node:net')
const { ChildProcess } = require('node:child_process')
const { threadId } = require('node:worker_threads')

const BACKLOG = 65535 // the kernel takes net.core.somaxconn if that is less
const TAKEN = process.env.ZDD_SOCKET_CLAIM // the file that names who has it; only the app's user can write there
const PEER = { remoteAddress: { value: '127.0.0.1' }, remoteFamily: { value: 'IPv4' } } // nginx; a UNIX socket has none

const fd = inherited()
let done = false // in this process: it has taken its socket, or has been told of it by other means

if (fd !== undefined) {
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

/** Not for what only looks for a free port and serves nobody, for TLS, or for a cluster's primary beside its workers. */
function isFor (server, asked) {
  const { isPrimary, workers } = require('node:cluster')
  const busy = server.listening || asked?.fd !== undefined || asked?.handle || asked?._handle
  return !busy && server.listenerCount('connection') && !server.setSecureContext &&
    !(isPrimary && Object.keys(workers).length)
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
  const options = typeof asked === 'object' && asked ? asked : isPath(asked) ? { path: asked } : { port: asked }
  const address = options.path ?? { address: '127.0.0.1', family: 'IPv4', port: Number(options.port) || 0 }
  server.address = () => server.listening ? address : null
  server.prependListener('connection', socket => Object.defineProperties(socket, PEER))
  if (typeof callback === 'function') server.once('listening', callback)
  options.signal?.addEventListener('abort', () => server.close())
  server._listen2(null, null, null, BACKLOG, fd) // what listen() ends in, but for a worker, whose fd would be the primary's
}

function isPath (asked) {
  return typeof asked === 'string' && Number.isNaN(Number(asked))
}
