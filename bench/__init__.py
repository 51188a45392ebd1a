"""Measurements of the bridge beside `rclone serve webdav` and stock WsgiDAV, in one run on one machine.

Run by `make bench`. Figures are ratios on purpose: absolute ones tell more about the machine than about the program.
"""
