"""davbridge: a WebDAV server in front of OneDrive and SharePoint document libraries.

A *policy* in the YAML names a *driver* and a *mount*. The driver turns paths into *items* through the *mirror*.
Everything below the driver speaks Graph; everything above it speaks DAV.
"""

__version__ = "0.1.0"
