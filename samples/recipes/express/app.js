// GET / and /slow, POST /echo; it tells with which deploy it came. Nothing in it knows of zdd.

const express = require('express')

const app = express()
app.set('trust proxy', 'loopback')
app.use((request, response, next) => {
  response.set({ 'X-Deploy': process.env.ZDD_DEPLOY ?? '0', 'X-Client': request.ip })
  next()
})
app.get('/', (request, response) => response.send('hello\n'))
app.get('/slow', (request, response) => setTimeout(() => response.send('hello\n'), 500))
app.post('/echo', express.raw({ type: () => true }), (request, response) => response.send(request.body))
app.listen(3000, () => console.log('listening on port 3000'))
