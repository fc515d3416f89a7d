"""The Box side: authentication, folders, uploads, collaborations, and a sandbox to rehearse on."""
