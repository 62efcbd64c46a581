#!/bin/sh
# Runs a container whose app listens on the socket $1. Its folder has the same name inside: see deploy.toml.
folder=${1%/*}
exec podman run --rm --replace --name "$ZDD_PROJECT-$ZDD_INSTANCE" --volume "$folder:$folder" \
    --volume "$PWD:/app:ro" --workdir /app --env ZDD_DEPLOY localhost/shop python3 app.py "$1"
