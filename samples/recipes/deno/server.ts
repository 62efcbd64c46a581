// GET / and /slow, POST /echo; it tells with which deploy it came.

const deploy = Deno.env.get('ZDD_DEPLOY') ?? '0'

async function answer (request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname === '/slow') await new Promise(resolve => setTimeout(resolve, 500))
  const body = request.method === 'POST' ? await request.bytes() : 'hello\n'
  return new Response(body, { headers: { 'X-Deploy': deploy } })
}

const server = Deno.serve({ path: Deno.args[0] }, answer)
Deno.addSignalListener('SIGTERM', () => server.shutdown())
