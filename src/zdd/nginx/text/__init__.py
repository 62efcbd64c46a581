"""
The texts of a real nginx, with what they need from the machine; zdd.nginx.config, which is pure, writes their lines.

    managed                             what zdd asks of each text of an nginx that it runs (ManagedText)
    own, own_addresses, own_needs       zdd's own text: its content, where it listens, what nginx's program must have
    included_lines                      what `check` says about the file of server_include, a part of own
    template                            the user's template, rendered
    last_text                           the text that zdd last gave nginx
    tails                               for how long the pools of the texts that run may lead to old instances

An nginx that somebody else runs has no text here: zdd.nginx.external writes the file that it includes.
"""
