// Two workers, each with GET / and /slow, POST /echo; they tell with which deploy they came. Nothing knows of zdd.

import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

async function answer (request, response) {
  if (request.url === '/slow') await sleep(500)
  response.setHeader('X-Deploy', process.env.ZDD_DEPLOY ?? '0')
  if (request.method === 'POST') request.pipe(response)
  else response.end('hello\n')
}

if (cluster.isPrimary) {
  for (let workers = 0; workers < 2; workers++) cluster.fork()
  cluster.on('exit', () => cluster.fork())
} else {
  createServer(answer).listen(3000, () => console.log(`worker ${process.pid} is listening`))
}
