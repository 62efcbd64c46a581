// GET / and /slow, POST /echo; it tells with which deploy it came. Nothing in it knows of zdd.

const app = require('fastify')({ logger: { level: 'warn' }, trustProxy: 'loopback' })

app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body))
app.addHook('onRequest', async (request, reply) => {
  reply.headers({ 'X-Deploy': process.env.ZDD_DEPLOY ?? '0', 'X-Client': request.ip })
})
app.get('/', async () => 'hello\n')
app.get('/slow', async () => new Promise(resolve => setTimeout(resolve, 500, 'hello\n')))
app.post('/echo', async request => request.body)
app.listen({ port: 3000, host: '0.0.0.0' }).then(address => console.log(`listening on ${address}`))
