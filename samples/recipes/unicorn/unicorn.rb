require 'socket'

worker_processes 4
preload_app true # a version that is broken ends at once; without it its workers end again and again

# the socket that zdd hands over, by its name: at HUP unicorn closes those that its configuration does not have
given = Socket.for_fd(3)
given.autoclose = false
listen given.local_address.unix_path
