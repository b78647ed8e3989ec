import ipaddress
n = ipaddress.ip_network("10.1.2.0/29")
print(list(n.hosts())[0], n.num_addresses, ipaddress.ip_address("2001:db8::1").exploded, n.overlaps(ipaddress.ip_network("10.1.2.4/30")))
