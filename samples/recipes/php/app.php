<?php // GET / and /slow, POST /echo; it tells with which deploy it came.

if ($_SERVER['REQUEST_URI'] === '/slow') usleep(500000);
header('X-Deploy: ' . (getenv('ZDD_DEPLOY') ?: '0'));
echo $_SERVER['REQUEST_METHOD'] === 'POST' ? file_get_contents('php://input') : "hello\n";
