// The same app for Node: about half a second of CPU at its start, about a millisecond a request.
const fs = require('node:fs')
const http = require('node:http')

const version = fs.readFileSync('VERSION', 'utf8').trim()

function work (milliseconds) {
  for (; milliseconds > 0; milliseconds--) millisecond()
}

function millisecond () {
  let sum = 0
  for (let i = 0; i < 3_500_000; i++) sum = (sum + i) | 0
  return sum
}

const server = http.createServer((request, response) => {
  const parts = []
  request.on('data', part => parts.push(part))
  request.on('end', () => {
    work(1)
    const body = parts.length ? Buffer.concat(parts) : Buffer.from('hello\n')
    response.writeHead(200, { 'X-Release': version, 'Content-Length': body.length }).end(body)
  })
})

work(500)
server.listen(process.env.PORT || 3000, '127.0.0.1') // zdd turns this into the socket that it holds
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.close(() => process.exit(0)))
