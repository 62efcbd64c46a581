// GET / and /slow, POST /echo; it tells with which deploy it came. Nothing in it knows of zdd.
// What a TypeScript compiler makes of decorators is written out here, so that there is nothing to build.

require('reflect-metadata')
const { Body, Controller, Get, Module, Post } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')

class AppController {
  hello () { return 'hello\n' }
  slow () { return new Promise(resolve => setTimeout(resolve, 500, 'hello\n')) }
  echo (body) { return body }
}
const routes = { hello: Get('/'), slow: Get('/slow'), echo: Post('/echo') }
Body()(AppController.prototype, 'echo', 0)
for (const [name, decorate] of Object.entries(routes)) {
  decorate(AppController.prototype, name, Object.getOwnPropertyDescriptor(AppController.prototype, name))
}
Controller()(AppController)

class AppModule {}
Module({ controllers: [AppController] })(AppModule)

async function main () {
  const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] })
  app.use((request, response, next) => {
    response.setHeader('X-Deploy', process.env.ZDD_DEPLOY ?? '0')
    next()
  })
  await app.listen(process.env.PORT ?? 3000)
  console.log(`listening on ${await app.getUrl()}`)
}
main()
