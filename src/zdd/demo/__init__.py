"""The proof in the box: `zddeploy demo` deploys a small web service again and again while clients keep calling it."""
