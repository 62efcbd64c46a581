// GET / and /slow, POST /echo; it tells with which deploy it came. Nothing in it knows of zdd.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
  if (request.url === '/slow') await sleep(500)
  response.setHeader('X-Deploy', process.env.ZDD_DEPLOY ?? '0')
  if (request.method === 'POST') request.pipe(response)
  else response.end('hello\n')
})

server.listen(3000, () => console.log('listening on port 3000'))
