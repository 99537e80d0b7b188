"""Homes of keys behind one port: PKCS#12 files, PKCS#11 tokens, remote providers, agents at schools."""
