# One process, so that all peers, and Node, have the same to offer.
threads = 16
keepalive = 5
errorlog = "gunicorn.log"
control_socket_disable = True  # its path is the same for all of a user
