// GET / and /slow, POST /echo; it tells with which deploy it came.

import { createServer } from 'node:http'
import process from 'node:process'

const server = createServer((request, response) => {
  response.setHeader('X-Deploy', process.env.ZDD_DEPLOY ?? '0')
  setTimeout(() => {
    if (request.method === 'POST') request.pipe(response)
    else response.end('hello\n')
  }, request.url === '/slow' ? 500 : 0)
})
server.listen({ fd: Number(process.argv[2]) })
