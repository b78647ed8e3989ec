# fails: no network
import ssl
ssl.create_default_context()
