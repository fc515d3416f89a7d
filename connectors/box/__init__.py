"""The Box side: authentication, folders, uploads, collaborations, and a sandbox to rehearse on."""

from connectors.box.narrowing import narrow

narrow()  # before anything here imports the SDK
narrow(["jwt"])  # nor what the SDK signs with, before somebody signs
