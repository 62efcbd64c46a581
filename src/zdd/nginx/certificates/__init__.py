"""
The certificates of zdd's own nginx: which it has, which it should have, and what is wrong with them.

    choice          which certificate has which host, by the configuration and by the text in force?
    store           where do the pairs of certificate and key lie, and how does a new one take the place of the old one?
    pem_files       can nginx work with the two files that the configuration names?
    placeholder     what stands for a host until its certificate is issued?
    x509            what does a certificate say, and would browsers accept it?
    report, state   what do `status` and `certificates` show of each?
    faults          what does `check` complain about, and which files does a deploy refuse?
    https_changes   what do visitors lose where HTTPS is turned on or off?

zdd.acme obtains and renews certificates; zdd.nginx.config.tls writes the lines of nginx's text.
"""
