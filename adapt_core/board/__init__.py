"""`adapt board`: a page over a folder of runs, served to this machine alone; it reads, and writes nothing.

The standard library's server is enough: three pages and two JSON documents, on the loopback interface, for one person.
It needs no package, and nothing is built or loaded from the net.

runs.py    the runs in a folder: their state, latest figures and curves
pages.py   an address -> a page; runs are looked up by their names, so that no address leaves the folder
server.py  the server: loopback, the Host header, headers of security
board.js   the pages' script: filter, order, choice, what is live
"""
