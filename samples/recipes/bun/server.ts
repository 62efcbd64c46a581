// GET / and /slow, POST /echo; it tells with which deploy it came.

const deploy = process.env.ZDD_DEPLOY ?? '0'

const server = Bun.serve({
  unix: process.argv[2],
  async fetch (request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/slow') await Bun.sleep(500)
    const body = request.method === 'POST' ? await request.bytes() : 'hello\n'
    return new Response(body, { headers: { 'X-Deploy': deploy } })
  }
})
process.on('SIGTERM', () => server.stop().then(() => process.exit()))
