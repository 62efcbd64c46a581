# GET / and /slow, POST /echo; it tells with which deploy it came.

run lambda { |env|
  sleep 0.5 if env['PATH_INFO'] == '/slow'
  body = env['REQUEST_METHOD'] == 'POST' ? env['rack.input'].read : "hello\n"
  [200, { 'content-type' => 'text/plain', 'x-deploy' => ENV.fetch('ZDD_DEPLOY', '0') }, [body]]
}
